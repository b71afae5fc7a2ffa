//! The Markdown tables.

use std::fmt::Write as _;

use crate::figures::{BASE, Figures, Key};

struct Row {
    title: &'static str,
    workload: &'static str,
    metric: &'static str,
    /// The figure of the base to compare with, if it is not the same one.
    base: Option<(&'static str, &'static str)>,
}

const fn row(title: &'static str, workload: &'static str, metric: &'static str) -> Row {
    Row {
        title,
        workload,
        metric,
        base: None,
    }
}

/// Of a figure that is a ratio itself.
const fn without_ratio(title: &'static str, workload: &'static str, metric: &'static str) -> Row {
    Row {
        title,
        workload,
        metric,
        base: Some(("", "")),
    }
}

const MAIN: &[Row] = &[
    row("W1 p50, µs", "w1", "p50_us"),
    row("W1 p99, µs", "w1", "p99_us"),
    row("W2 calls/s", "w2", "calls_s"),
    row("W3 calls/s", "w3", "calls_s"),
    row("W4 `Bytes`, MiB/s", "w4", "mib_s"),
    Row {
        title: "W4 `Vec<u8>`, MiB/s",
        workload: "w4-vec",
        metric: "mib_s",
        base: Some(("w4", "mib_s")),
    },
    row("W5 items/s", "w5", "items_s"),
    row("W6 rounds/s", "w6", "rounds_s"),
    row("W7 KiB/connection", "w7", "kib"),
    row("W8 CPU µs/call", "w2", "cpu_us"),
    row("W9 CPU seconds", "w9", "cpu_s"),
    row("W9 crates", "w9", "crates"),
    row("W10 calls/s", "w10", "calls_s"),
    row("W10 cores used", "w10", "cores"),
    row("W10 neighbour's p50, µs", "w10", "p50_us"),
    row("W10 neighbour's p99, µs", "w10", "p99_us"),
    row("Fairness: p99 alone, µs", "fairness", "idle_p99_us"),
    row("… beside echoes of 16 MiB, µs", "fairness", "echo_p99_us"),
    without_ratio("… as a multiple of alone", "fairness", "echo_ratio"),
    without_ratio(
        "… as a multiple, echoes on another connection",
        "fairness",
        "elsewhere_echo_ratio",
    ),
    row("… MiB/s of the echoes", "fairness", "echo_mib_s"),
    row(
        "… beside a stream of 16 MiB each, µs",
        "fairness",
        "stream_p99_us",
    ),
    without_ratio("… as a multiple of alone", "fairness", "stream_ratio"),
    without_ratio(
        "… as a multiple, stream on another connection",
        "fairness",
        "elsewhere_stream_ratio",
    ),
];

/// CPU time depends less on what else the machine does.
const CPU: &[Row] = &[
    row("W1, µs/call", "w1", "cpu_us"),
    row("W2, µs/call", "w2", "cpu_us"),
    row("W2 without the kernel", "w2", "user_us"),
    row("W3, µs/call", "w3", "cpu_us"),
    row("W4, µs/call", "w4", "cpu_us"),
    row("W5, µs/item", "w5", "cpu_us"),
    row("W6, µs/round", "w6", "cpu_us"),
];

pub(crate) fn all(figures: &Figures) -> String {
    format!(
        "{}\nEach cell: median (min–max) over the rounds, **median ratio to `{BASE}` in the same round**.\n{}\n\
         CPU time, client and server and the kernel's work for both:\n\n{}",
        table(figures, MAIN),
        notes(figures),
        table(figures, CPU),
    )
}

fn table(figures: &Figures, rows: &[Row]) -> String {
    let mut table = String::from("| |");
    for peer in &figures.peers {
        let _ = write!(table, " {} |", peer.trim_start_matches("peer-"));
    }
    table += "\n|---|";
    table += &"---|".repeat(figures.peers.len());
    table += "\n";
    for row in rows {
        let cells: Vec<_> = figures
            .peers
            .iter()
            .map(|peer| cell(figures, peer, row))
            .collect();
        if cells.iter().any(Option::is_some) {
            let cells: Vec<_> = cells
                .iter()
                .map(|cell| cell.as_deref().unwrap_or("–"))
                .collect();
            let _ = writeln!(table, "| {} | {} |", row.title, cells.join(" | "));
        }
    }
    table
}

fn cell(figures: &Figures, peer: &str, row: &Row) -> Option<String> {
    let key = Key::new(row.workload, row.metric);
    let base = row.base.map_or_else(
        || key.clone(),
        |(workload, metric)| Key::new(workload, metric),
    );
    let summary = figures.summary(peer, &key, &base)?;
    let mut cell = number(summary.median);
    if summary.least < summary.most {
        let _ = write!(
            cell,
            " ({}–{})",
            number(summary.least),
            number(summary.most)
        );
    }
    if let Some(ratio) = summary.ratio {
        let _ = write!(cell, " **{ratio:.2}×**");
    }
    Some(cell)
}

/// Three digits that count.
fn number(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e4 => (value / 1e3, " k"),
        value => (value, ""),
    };
    match value {
        value if value.fract() == 0.0 => format!("{value}{unit}"),
        value if value >= 100.0 => format!("{value:.0}{unit}"),
        value if value >= 10.0 => format!("{value:.1}{unit}"),
        value => format!("{value:.2}{unit}"),
    }
}

fn notes(figures: &Figures) -> String {
    let mut notes = String::new();
    for (peer, workload, why) in &figures.notes {
        let _ = writeln!(
            notes,
            "- {}, {workload}: {why}",
            peer.trim_start_matches("peer-")
        );
    }
    if notes.is_empty() {
        notes
    } else {
        format!("\n{notes}")
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [
            1.333,
            12.0,
            12.84,
            233.4,
            9_999.0,
            12_840.0,
            233_400.0,
            1_040_000.0,
        ]
        .map(number);
        assert_eq!(
            shown,
            [
                "1.33", "12", "12.8", "233", "9999", "12.8 k", "233 k", "1.04 M"
            ]
        );
    }
}
