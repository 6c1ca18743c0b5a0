//! Reading a regular file, and nothing else.

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

/// Larger than any secret; a mistaken path is not read into memory.
const MAX_FILE_LEN: usize = 64 * 1024;

/// The content of the regular file at `path`. Never waits for a FIFO or a device.
pub(super) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    require_regular(fs::metadata(path)?.file_type())?;
    let file = open(path)?;
    // Another file may have taken its place.
    let metadata = file.metadata()?;
    require_regular(metadata.file_type())?;
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 64 KiB");
    let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if len > MAX_FILE_LEN {
        return Err(too_large());
    }
    // Room for the whole file at once: a growing buffer would leave copies of the secret behind. A
    // file that the system makes up as it is read has no length.
    let mut content = Zeroizing::new(Vec::with_capacity(len.max(4 * 1024) + 1));
    let limit = u64::try_from(MAX_FILE_LEN + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut content)?;
    if content.len() > MAX_FILE_LEN {
        return Err(too_large());
    }
    Ok(content)
}

fn require_regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "it is {}: put a file there, or a link to one",
            name_of(kind)
        ),
    ))
}

fn name_of(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        if kind.is_fifo() {
            return "a FIFO";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() {
        "a directory"
    } else {
        "no regular file"
    }
}

/// Opens without waiting, in case that a FIFO has just taken the place of the file.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, O_NONBLOCK);
    options.open(path)
}

/// `O_NONBLOCK` of `open(2)`; 0 on systems whose value is not known here.
#[cfg(unix)]
const O_NONBLOCK: i32 = if cfg!(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
)) {
    0x4
} else if cfg!(all(
    any(target_os = "android", target_os = "linux"),
    any(
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "loongarch64",
        target_arch = "powerpc64",
        target_arch = "riscv64",
        target_arch = "s390x",
        target_arch = "x86",
        target_arch = "x86_64",
    ),
)) {
    0x800
} else {
    0
};
