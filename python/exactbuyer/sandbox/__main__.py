"""`python -m exactbuyer.sandbox`."""

import sys

from .command import main

sys.exit(main())
