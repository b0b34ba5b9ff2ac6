//! What the machine does at best.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use model_signing::hash::Algorithm;

/// Larger than what processors keep, as a model is, and small beside the memory of any machine.
const BUFFER_BYTES: usize = 256 << 20;

static BUFFER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..BUFFER_BYTES)
        .map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect()
});

/// Hashes so many bytes that are in memory already, spread evenly over so many threads that do nothing else.
pub fn in_memory(algorithm: Algorithm, threads: usize, bytes: u64) -> Result<(), Box<dyn Error>> {
    let each = usize::try_from(bytes)? / threads;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(move || {
                let mut left = each;
                match algorithm {
                    Algorithm::Sha256 => {
                        let sha256 = &aws_lc_rs::digest::SHA256;
                        let mut context = aws_lc_rs::digest::Context::new(sha256);
                        feed(&mut left, |bytes| context.update(bytes));
                        black_box(context.finish());
                    }
                    Algorithm::Blake2b => {
                        let mut state = blake2b_simd::State::new();
                        feed(&mut left, |bytes| {
                            state.update(bytes);
                        });
                        black_box(state.finalize());
                    }
                    Algorithm::Blake3 => {
                        let mut hasher = blake3::Hasher::new();
                        feed(&mut left, |bytes| {
                            hasher.update(bytes);
                        });
                        black_box(hasher.finalize());
                    }
                }
            });
        }
    });
    Ok(())
}

fn feed(left: &mut usize, mut update: impl FnMut(&[u8])) {
    while *left > 0 {
        let len = BUFFER_BYTES.min(*left);
        update(&BUFFER[..len]);
        *left -= len;
    }
}

/// BLAKE3's own fastest way. The process is killed if the file is truncated.
pub fn blake3_mapped(file: &Path) -> Result<(), Box<dyn Error>> {
    black_box(blake3::Hasher::new().update_mmap_rayon(file)?.finalize());
    Ok(())
}

/// Reads a file block after block, and does nothing with it.
pub fn reading(file: &Path) -> Result<(), Box<dyn Error>> {
    let mut file = File::open(file)?;
    let mut block = vec![0; 256 << 10];
    while file.read(&mut block)? > 0 {
        black_box(&block);
    }
    Ok(())
}
