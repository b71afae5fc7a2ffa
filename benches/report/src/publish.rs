//! Writes tables and plots into the documentation.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::figures::Figures;
use crate::{machine, plot, table};

const BEGIN: &str = "<!-- begin of the tables: benches/run.sh writes them -->\n";
const END: &str = "<!-- end of the tables -->";

pub(crate) fn publish(figures: &Figures, docs: &Path) -> Result<()> {
    let page = docs.join("performance.md");
    let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let tables = format!("\n{}\n\n{}\n", machine::describe(), table::all(figures));
    fs::write(&page, between_markers(&text, &tables)?)?;

    let plots = docs.join("performance");
    fs::create_dir_all(&plots)?;
    for sweep in plot::SWEEPS {
        plot::draw(figures, sweep, &plots)?;
    }
    Ok(())
}

fn between_markers(text: &str, tables: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .context("no marker where the tables begin")?;
    let (_, after) = rest
        .split_once(END)
        .context("no marker where the tables end")?;
    Ok(format!("{before}{BEGIN}{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("a\n{BEGIN}old{END}\nb\n");
        let changed = between_markers(&page, "new\n").expect("it has markers");
        assert_eq!(changed, format!("a\n{BEGIN}new\n{END}\nb\n"));
        assert!(between_markers("a", "new").is_err());
    }
}
