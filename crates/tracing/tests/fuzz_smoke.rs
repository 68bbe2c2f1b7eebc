//! The fuzz target's function over thousands of generated inputs, the same ones each time.

mod fuzz_entry;

#[test]
fn generated_inputs() {
    let mut random = fastrand::Rng::with_seed(7);
    let near = b"0123456789abcdefABCDEF00-:/;=oRootParentSampled=1d \n\n";
    for round in 0..1_000 {
        let length = random.usize(0..300);
        let any = round % 4 == 0;
        let byte = || if any { random.u8(..) } else { near.get(random.usize(0..near.len())).copied().unwrap_or(b'0') };
        let data: Vec<u8> = std::iter::repeat_with(byte).take(length).collect();
        fuzz_entry::run(&data);
    }
}

#[test]
fn edges() {
    fuzz_entry::run(&[]);
    for byte in (0..=255).step_by(5) {
        fuzz_entry::run(&[byte; 300]);
    }
}
