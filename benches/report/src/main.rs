//! Makes the tables and plots of the benchmark out of its raw figures.
//!
//! `report table FIGURES..` prints the tables; `report publish DOCS FIGURES..` writes them into
//! `DOCS/performance.md`, between its markers, and plots of the sweeps into `DOCS/performance/`.

mod figures;
mod machine;
mod plot;
mod publish;
mod table;

use std::path::Path;

use anyhow::{Result, bail};

use figures::Figures;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["table", files @ ..] if !files.is_empty() => {
            print!("{}", table::all(&Figures::read(files)?));
            Ok(())
        }
        ["publish", docs, files @ ..] if !files.is_empty() => {
            publish::publish(&Figures::read(files)?, Path::new(docs))
        }
        _ => bail!("usage: report table FIGURES.. | report publish DOCS FIGURES.."),
    }
}
