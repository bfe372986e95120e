//! The kinds of disks, folders and programs that `disks` knows by name. Data only. A new kind needs a line here and
//! nothing else.

/// Kinds of file systems that several machines can use at once. A trial on one machine cannot show what another one
/// would see. The number is the `f_type` of Linux, from the kernel's magic.h or the file system's own headers. It is
/// used if the table of mounts cannot be read.
pub(super) const NETWORK: [(&str, i64, &str); 27] = [
    ("nfs", 0x6969, "NFS"),
    ("nfs4", 0x6969, "NFS"),
    ("cifs", 0xff53_4d42, "CIFS"),
    ("smb3", 0xfe53_4d42, "SMB"),
    ("smbfs", 0x517b, "SMB"),
    ("9p", 0x0102_1997, "9p"),
    ("virtiofs", 0x6573_5546, "virtiofs"),
    ("afs", 0x5346_414f, "AFS"),
    ("openafs", 0x5346_414f, "AFS"),
    ("ceph", 0x00c3_6400, "Ceph"),
    ("coda", 0x7375_7245, "Coda"),
    ("lustre", 0x0bd0_0bd0, "Lustre"),
    ("gpfs", 0x4750_4653, "GPFS"),
    ("beegfs", 0x1983_0326, "BeeGFS"),
    ("orangefs", 0x2003_0528, "OrangeFS"),
    ("ocfs2", 0x7461_636f, "OCFS2"),
    ("gfs2", 0x0116_1970, "GFS2"),
    ("panfs", 0xaad7_aaea, "PanFS"),
    ("wekafs", 0x1801_1012, "WekaFS"),
    ("vboxsf", 0x786f_4256, "a shared folder of VirtualBox"),
    ("vmhgfs", 0xbacb_acbc, "a shared folder of VMware"),
    ("fakeowner", 0, "a shared folder of Docker Desktop"),
    ("prl_fs", 0x7c7c_6673, "a shared folder of Parallels"),
    ("drvfs", 0x5346_4846, "a disk of Windows"),
    ("afpfs", 0, "AFP"),
    ("webdav", 0, "WebDAV"),
    ("remote", 0, "a disk of another machine"),
];

/// The `f_type` of FUSE, and therefore of virtiofs.
pub(super) const FUSE: i64 = 0x6573_5546;

/// FUSE programs that serve disks of this machine, so that a trial shows everything.
pub(super) const LOCAL_FUSE: [&str; 13] = [
    "fuseblk",
    "fuse.fuse-overlayfs",
    "fuse.mergerfs",
    "fuse.gocryptfs",
    "fuse.encfs",
    "fuse.cryfs",
    "fuse.securefs",
    "fuse.bindfs",
    "fuse.ntfs",
    "fuse.ntfs-3g",
    "fuse.exfat",
    "fuse.zfs",
    "fuse.lxcfs",
];

/// Common disks of one machine. They are not tried before there is a store, because a trial writes to the disk.
pub(super) const COMMON: [&str; 15] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "overlay", "tmpfs", "apfs", "hfs",
    "ufs", "ntfs", "refs",
];

/// Folders of programs that synchronise, directly in a home folder. After a blank, the name may continue
/// (`OneDrive - Acme`, `Dropbox (Personal)`).
pub(super) const SYNCHRONISED: [(&str, &str); 12] = [
    ("Dropbox", "Dropbox"),
    ("OneDrive", "OneDrive"),
    ("Google Drive", "Google Drive"),
    ("GoogleDrive", "Google Drive"),
    ("Box", "Box"),
    ("Box Sync", "Box"),
    ("Nextcloud", "Nextcloud"),
    ("ownCloud", "ownCloud"),
    ("Seafile", "Seafile"),
    ("pCloudDrive", "pCloud"),
    ("MEGAsync", "MEGA"),
    ("Proton Drive", "Proton Drive"),
];

/// Folders in the `Library` of a home folder of macOS in which everything is synchronised.
pub(super) const APPLES: [(&str, &str); 2] =
    [("Mobile Documents", "iCloud Drive"), ("CloudStorage", "a cloud's folder")];

/// Files that programs which synchronise put into their folder.
pub(super) const MARKERS: [(&str, &str); 6] = [
    (".dropbox.cache", "Dropbox"),
    (".stfolder", "Syncthing"),
    (".nextcloudsync.log", "Nextcloud"),
    (".owncloudsync.log", "ownCloud"),
    (".tmp.drivedownload", "Google Drive"),
    (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
];

/// Places of FUSE disks whose kind is only `fuse`, or says little.
pub(super) const FUSE_PLACES: [(&str, &str); 4] = [
    ("/content/drive", "Google Drive in Colab"),
    ("/Workspace", "the workspace of Databricks"),
    ("/Volumes", "a volume of Databricks"),
    ("/dbfs", "DBFS of Databricks"),
];
