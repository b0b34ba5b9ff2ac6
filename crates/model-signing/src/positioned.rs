//! Reading a file at a position, by several threads at once.

#[cfg(unix)]
pub(crate) use std::os::unix::fs::FileExt;

/// What Unix has for files, on Windows.
#[cfg(windows)]
pub(crate) trait FileExt {
    /// Reads exactly as many bytes as there is place for, from `offset` on.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof): the file ends before.
    fn read_exact_at(&self, place: &mut [u8], offset: u64) -> std::io::Result<()>;
}

#[cfg(windows)]
impl FileExt for std::fs::File {
    fn read_exact_at(&self, mut place: &mut [u8], mut offset: u64) -> std::io::Result<()> {
        while !place.is_empty() {
            // Each call has an offset of its own. It also moves the position of the handle, which nothing here uses.
            match std::os::windows::fs::FileExt::seek_read(self, place, offset) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    place = place.get_mut(read..).unwrap_or_default();
                    offset = offset.saturating_add(read as u64);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
