//! Checks `.proto` files as a build would: `cargo run -p rpc-build --example proto_check -- -I proto proto/users.proto`.
//! With `-o FILE` it writes the descriptor set, with `--rust FOLDER` what a build writes, with `--lines` one line for each
//! mistake.

use std::path::PathBuf;
use std::process::ExitCode;

use buffa::Message;
use rpc_build::load::{Input, load};
use rpc_build::{Config, check, diagnostic};

fn main() -> ExitCode {
    let (mut files, mut includes, mut sets, mut output, mut rust, mut lines) =
        (vec![], vec![], vec![], None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-I" => includes.extend(arguments.next().map(PathBuf::from)),
            "-d" => sets.extend(arguments.next().map(PathBuf::from)),
            "-o" => output = arguments.next(),
            "--rust" => rust = arguments.next(),
            "--lines" => lines = true,
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if let Some(folder) = rust {
        let config = Config::new().files(files).includes(includes);
        let config = sets.iter().fold(config, Config::descriptor_set);
        return match config.out_dir(folder).compile() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let sets: Vec<Vec<u8>> = sets
        .iter()
        .filter_map(|path| std::fs::read(path).ok())
        .collect();
    let input = Input {
        files: &files,
        includes: &includes,
        descriptor_sets: &sets,
    };
    let (mistakes, sources) = match load(&input) {
        Ok(schema) => {
            if let Some(output) = output {
                let written = std::fs::write(output, schema.descriptors.encode_to_vec());
                written.expect("the output can be written");
            }
            (check::check(&schema), schema.sources)
        }
        Err(failure) => (failure.diagnostics, failure.sources),
    };
    if lines {
        for mistake in &mistakes {
            let (file, line) = mistake.line(&sources).unwrap_or(("", 0));
            println!("{file}:{line}: {}", mistake.message);
        }
    } else {
        eprint!(
            "{}",
            diagnostic::render(&mistakes, &sources, diagnostic::is_coloured())
        );
    }
    match mistakes.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
