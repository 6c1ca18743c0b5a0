//! Writes what Node needs to load a module for `wasm32-unknown-unknown`: `MODULE FOLDER`.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, module, folder] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: wasm-bindgen-nodejs MODULE FOLDER".into());
    };
    Bindgen::new()
        .input_path(module)
        .nodejs(true)?
        .typescript(false)
        .generate(folder)?;
    Ok(())
}
