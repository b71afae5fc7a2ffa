//! The raw figures: a line of JSON each.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// What all are compared with.
pub(crate) const BASE: &str = "floor-mux";

#[derive(Deserialize)]
struct Line {
    round: u64,
    peer: String,
    workload: String,
    /// The point of a sweep.
    x: Option<u64>,
    metric: Option<String>,
    value: Option<f64>,
    /// Why there is no figure.
    none: Option<String>,
}

/// Which figure of a peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) workload: String,
    pub(crate) metric: String,
    pub(crate) x: Option<u64>,
}

impl Key {
    pub(crate) fn new(workload: &str, metric: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            metric: metric.to_owned(),
            x: None,
        }
    }
}

/// The value of each round.
type Rounds = BTreeMap<u64, f64>;

#[derive(Default)]
pub(crate) struct Figures {
    /// In the order in which they were measured.
    pub(crate) peers: Vec<String>,
    values: BTreeMap<String, BTreeMap<Key, Rounds>>,
    /// Peer, workload, why there is no figure.
    pub(crate) notes: Vec<(String, String, String)>,
}

/// What the rounds came to.
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// To the base in the same round.
    pub(crate) ratio: Option<f64>,
}

impl Figures {
    pub(crate) fn read(files: &[&str]) -> Result<Self> {
        let mut figures = Self::default();
        for file in files {
            let text = std::fs::read_to_string(file).with_context(|| (*file).to_owned())?;
            for (number, line) in text.lines().enumerate() {
                let line =
                    serde_json::from_str(line).with_context(|| format!("{file}:{}", number + 1))?;
                figures.add(line);
            }
        }
        Ok(figures)
    }

    fn add(&mut self, line: Line) {
        if !self.peers.contains(&line.peer) {
            self.peers.push(line.peer.clone());
        }
        if let Some(why) = line.none {
            let note = (line.peer.clone(), line.workload.clone(), why);
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        if let (Some(metric), Some(value)) = (line.metric, line.value) {
            let key = Key {
                workload: line.workload,
                metric,
                x: line.x,
            };
            let rounds = self
                .values
                .entry(line.peer)
                .or_default()
                .entry(key)
                .or_default();
            rounds.insert(line.round, value);
        }
    }

    fn rounds(&self, peer: &str, key: &Key) -> Option<&Rounds> {
        self.values.get(peer)?.get(key)
    }

    /// Summarises a figure of a peer, compared with the figure `base` of the base.
    pub(crate) fn summary(&self, peer: &str, key: &Key, base: &Key) -> Option<Summary> {
        let rounds = self.rounds(peer, key)?;
        let base = self.rounds(BASE, base);
        let ratios = rounds
            .iter()
            .filter_map(|(round, value)| Some(value / base?.get(round)?));
        Some(Summary {
            median: median(rounds.values().copied().collect())?,
            least: rounds.values().copied().fold(f64::MAX, f64::min),
            most: rounds.values().copied().fold(f64::MIN, f64::max),
            ratio: median(ratios.collect()),
        })
    }

    /// Returns the points of a sweep, with the median over the rounds.
    pub(crate) fn sweep(&self, peer: &str, workload: &str, metric: &str) -> Vec<(f64, f64)> {
        let Some(values) = self.values.get(peer) else {
            return Vec::new();
        };
        values
            .iter()
            .filter(|(key, _)| key.workload == workload && key.metric == metric)
            .filter_map(|(key, rounds)| {
                Some((key.x? as f64, median(rounds.values().copied().collect())?))
            })
            .collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_compares_within_a_round() {
        let mut figures = Figures::default();
        for (peer, round, value) in [
            (BASE, 1, 10.0),
            (BASE, 2, 20.0),
            (BASE, 3, 40.0),
            ("a", 1, 5.0),
            ("a", 2, 30.0),
            ("a", 3, 20.0),
        ] {
            figures.add(Line {
                round,
                peer: peer.to_owned(),
                workload: "w1".to_owned(),
                x: None,
                metric: Some("p50_us".to_owned()),
                value: Some(value),
                none: None,
            });
        }
        let key = Key::new("w1", "p50_us");
        let summary = figures.summary("a", &key, &key).expect("it has figures");
        assert_eq!(
            (summary.median, summary.least, summary.most),
            (20.0, 5.0, 30.0)
        );
        assert_eq!(summary.ratio, Some(0.5));
        assert_eq!(figures.peers, [BASE, "a"]);
    }

    #[test]
    fn the_median_of_two_is_between_them() {
        assert_eq!(median(vec![3.0, 1.0]), Some(2.0));
        assert_eq!(median(Vec::new()), None);
    }
}
