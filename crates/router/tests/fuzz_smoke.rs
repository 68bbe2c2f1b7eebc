//! The fuzz target's function over thousands of generated inputs, the same ones each time.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod fuzz_entry;

#[test]
fn generated_inputs() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let length = random.usize(0..600);
        let data: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        fuzz_entry::run(&data);
    }
}

#[test]
fn edges() {
    fuzz_entry::run(&[]);
    for byte in 0..=255 {
        fuzz_entry::run(&[byte; 300]);
    }
}
