//! Where a store lies: the folder, the modes, and what kind of disk it is on.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::fault::Fault;

/// Only its owner may read what was bought, or see who was asked for.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// The folder that stores are put into where no path is given.
const FOLDER: &str = ".exactbuyer";

/// A file, whatever it is called.
pub(super) type FileId = (u64, u64);

/// Makes folder and file, if they are not there, before SQLite can make them with modes that let
/// others in; its side files take theirs from the file. What is there keeps its modes: the second
/// part is what to say of them.
pub(super) fn prepare(path: &Path) -> Result<(PathBuf, Vec<String>), Fault> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |what: &str, error: &io::Error| {
        Fault::of(format!("the store {} cannot be made: {what}: {}", path.display(), error.kind()))
    };
    // The folders that will have a new entry.
    let mut changed: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.exists()).filter_map(Path::parent).collect();
    if !changed.is_empty() {
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(folder)
            .map_err(|error| failed("its folder", &error))?;
    }
    refuse_network(folder, path)?;
    if folder.file_name().is_some_and(|name| name == FOLDER) {
        // As `.pytest_cache` has it: nobody commits a folder of people by accident.
        let ignore = OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore"));
        if let Ok(mut file) = ignore {
            let text = b"# Made by exactbuyer: answers that were paid for, and personal data.\n*\n";
            io::Write::write_all(&mut file, text).map_err(|error| failed(".gitignore", &error))?;
        }
    }
    match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Ok(_) => changed.push(folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed("the file", &error)),
    }
    changed.into_iter().for_each(sync_folder);
    let path = path.canonicalize().map_err(|error| failed("the path", &error))?;
    let warnings =
        looser(&path).into_iter().chain(folder.canonicalize().ok().as_deref().and_then(looser_folder));
    Ok((path.clone(), warnings.collect()))
}

/// What is in a file that was synced is lost with the file's name, if the power goes before that is on
/// the disk; SQLite sees to the names of the files that it makes itself.
fn sync_folder(folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // As with SQLite, best effort: some file systems know no such sync.
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
}

fn looser(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.mode() & 0o777;
    (mode & OTHERS != 0)
        .then(|| format!("the store {} can be read by others (mode {mode:o}): chmod 600 it", path.display()))
}

/// Of a folder made for stores; any other is the user's affair.
fn looser_folder(folder: &Path) -> Option<String> {
    let mode = fs::metadata(folder).ok()?.mode() & 0o777;
    (mode & OTHERS != 0 && folder.file_name().is_some_and(|name| name == FOLDER)).then(|| {
        format!("the store's folder {} is open to others (mode {mode:o}): chmod 700 it", folder.display())
    })
}

/// Which file this is. Opens nothing: closing a file drops all locks that this process has on it.
pub(super) fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|known| (known.dev(), known.ino()))
}

/// The side file on which owners hold their locks.
pub(super) fn owners(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-owners");
    name.into()
}

/// Opens the side file of the owners, making it if it is not there.
pub(super) fn open_owners(path: &Path) -> io::Result<fs::File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(owners(path))
}

/// A write-ahead log needs shared memory and locks that file servers do not have, or have wrongly
/// (<https://www.sqlite.org/wal.html>).
#[cfg(target_os = "linux")]
fn refuse_network(folder: &Path, path: &Path) -> Result<(), Fault> {
    // From the kernel's magic.h, and for the last three the file systems' own headers.
    const NETWORK: [(i64, &str); 10] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x0102_1997, "9p"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
        (0x7375_7245, "Coda"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
    ];
    let Ok(known) = nix::sys::statfs::statfs(folder) else { return Ok(()) };
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // its type differs by platform
    let magic = known.filesystem_type().0 as i64 & 0xffff_ffff;
    let name = NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name);
    let name = name.or_else(|| fuse(magic, folder));
    name.map_or(Ok(()), |name| {
        Err(Fault::of(format!(
            "the store {} would lie on a network disk ({name}), where SQLite loses data: give store= a path on \
             a local disk",
            path.display()
        )))
    })
}

/// A file system in user space may be anything: the mount table names it.
#[cfg(target_os = "linux")]
fn fuse(magic: i64, folder: &Path) -> Option<&'static str> {
    const FUSE: i64 = 0x6573_5546;
    const REMOTE: [(&str, &str); 6] = [
        ("fuse.sshfs", "sshfs"),
        ("fuse.s3fs", "s3fs"),
        ("fuse.gcsfuse", "gcsfuse"),
        ("fuse.rclone", "rclone"),
        ("fuse.glusterfs", "GlusterFS"),
        ("fuse.davfs", "WebDAV"),
    ];
    if magic != FUSE {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then_some((at.len(), kind))
    });
    let (_, kind) = mounted.max_by_key(|(length, _)| *length)?;
    REMOTE.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_: &Path, _: &Path) -> Result<(), Fault> {
    Ok(())
}

/// Whose store answers of this host go into: all addresses of this machine are one service, whose
/// people are invented.
#[must_use]
pub fn service_of(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let loopback = bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback { "loopback".to_owned() } else { bare }
}

#[cfg(test)]
mod tests {
    use super::service_of;

    #[test]
    fn all_addresses_of_this_machine_are_one_service() {
        for host in ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "::1", "LOCALHOST"] {
            assert_eq!(service_of(host), "loopback", "{host}");
        }
        assert_eq!(service_of("API.exactbuyer.com"), "api.exactbuyer.com");
    }
}
