//! The program for WASI.

fn main() {
    println!("{}", wasm_program::run());
}
