//! Servers that are asked for more than they can do, with and without an adaptive limit.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::offer::{Outcome, Short, is_refused, offer, peak};
use crate::plot::{self, Line};
use crate::server::ServerProcess;
use crate::service::LoadClient;

/// How many times the peak is offered.
const OFFERED: [f64; 8] = [0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0];

/// How long each load lasts; what is before the half is not looked at.
const TIME: Duration = Duration::from_secs(4);

/// How soon all must be as before.
const RECOVERY: Duration = Duration::from_secs(5);

/// In which parts recovery is looked at.
const PART: Duration = Duration::from_millis(250);

/// The loads of one server.
struct Sweep {
    name: String,
    /// Its handlers compute where calls are read.
    keeps_threads: bool,
    peak: f64,
    outcomes: Vec<(f64, Outcome)>,
    recovered: Option<Duration>,
}

pub(crate) async fn run(folder: Option<&Path>) -> Result<()> {
    let mut sweeps = Vec::new();
    for (short, what) in [
        (Short::Places, "places"),
        (Short::Processors, "processors"),
        (
            Short::ProcessorsApart,
            "processors, on threads of their own",
        ),
    ] {
        for arguments in [&["adaptive"][..], &[]] {
            let with = if arguments.is_empty() {
                "without"
            } else {
                "with"
            };
            let name = format!("short of {what}, {with} the limit");
            sweeps.push(sweep(name, short, arguments).await?);
        }
    }
    println!(
        "| | offered | goodput | of the peak | p50 | p99 | refused | within (p99) | late or lost |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for sweep in &sweeps {
        sweep.print();
    }
    println!();
    for sweep in &sweeps {
        let recovered = sweep.recovered.map(|after| after.as_secs_f64());
        let recovered = recovered.map_or("not within five seconds".to_owned(), |after| {
            format!("{after:.2} s")
        });
        println!(
            "After ten times the peak, back at 0.7 times, {}: normal again after {recovered}.",
            sweep.name
        );
    }
    if let Some(folder) = folder {
        draw(&sweeps, folder)?;
    }
    for sweep in sweeps
        .iter()
        .filter(|sweep| sweep.name.ends_with(", with the limit"))
    {
        sweep.check()?;
    }
    Ok(())
}

async fn sweep(name: String, short: Short, arguments: &[&str]) -> Result<Sweep> {
    let server = ServerProcess::start(arguments).await?;
    let client = LoadClient::connect(&server.url).await?;
    let peak = peak(&client, short, TIME).await;
    let mut outcomes = Vec::new();
    for times in OFFERED {
        let outcome = offer(&client, short, peak * times, TIME).await;
        outcomes.push((times, outcome.second_half()));
    }
    let after = offer(&client, short, peak * 0.7, RECOVERY).await;
    let normal = outcomes[1].1.quantile(0.99, Result::is_ok);
    let recovered = recovered(&after, normal);
    server.kill().await?;
    Ok(Sweep {
        name,
        keeps_threads: matches!(short, Short::Processors),
        peak,
        outcomes,
        recovered,
    })
}

/// Returns from when on no part had a failure, nor calls that took much longer than normal ones.
fn recovered(after: &Outcome, normal: f64) -> Option<Duration> {
    let parts = (RECOVERY.as_millis() / PART.as_millis()) as u32;
    let is_normal = |part: &u32| {
        let calls = after.calls.iter();
        let mut calls = calls.filter(|call| (PART * *part..PART * (*part + 1)).contains(&call.at));
        calls.all(|call| call.result.is_ok() && call.took.as_secs_f64() * 1e3 <= normal * 2.0)
    };
    let last = (0..parts).rev().find(|part| !is_normal(part));
    let first = last.map_or(0, |part| part + 1);
    (first < parts).then(|| PART * first)
}

impl Sweep {
    fn print(&self) {
        for (times, outcome) in &self.outcomes {
            let late = 100.0 - outcome.share(Result::is_ok) - outcome.share(is_refused);
            let late = late.max(0.0);
            println!(
                "| {} | {times}× | {:.0}/s | {:.0} % | {:.1} ms | {:.1} ms | {:.1} % | {:.1} ms | {:.1} % |",
                self.name,
                outcome.goodput(),
                100.0 * outcome.goodput() / self.peak,
                outcome.quantile(0.5, Result::is_ok),
                outcome.quantile(0.99, Result::is_ok),
                outcome.share(is_refused),
                outcome.quantile(0.99, is_refused),
                late,
            );
        }
    }

    /// Checks what is promised of a server with a limit.
    fn check(&self) -> Result<()> {
        let (_, normal) = &self.outcomes[1];
        let (times, over) = &self.outcomes[OFFERED.len() - 1];
        let share = over.goodput() / self.peak;
        ensure!(
            share >= if self.keeps_threads { 0.8 } else { 0.9 },
            "{}, {times}×: {share:.2} of the peak",
            self.name
        );
        let slower = over.quantile(0.99, Result::is_ok) / normal.quantile(0.99, Result::is_ok);
        // Handlers that keep the threads of the runtime keep calls from being read.
        ensure!(
            slower <= 2.0 || self.keeps_threads,
            "{}, {times}×: calls take {slower:.1} times as long",
            self.name
        );
        ensure!(
            self.recovered.is_some(),
            "{}: it does not recover",
            self.name
        );
        Ok(())
    }
}

fn draw(sweeps: &[Sweep], folder: &Path) -> Result<()> {
    let lines = |y: fn(&Sweep, &Outcome) -> f64| -> Vec<Line> {
        let line = |sweep: &Sweep| {
            let points = sweep.outcomes.iter();
            let points = points.map(|(times, outcome)| (*times, y(sweep, outcome)));
            Line::new(&sweep.name, points.collect())
        };
        sweeps.iter().map(line).collect()
    };
    plot::draw(
        &folder.join("overload.svg"),
        "Goodput of a server that is asked for too much",
        ("times the peak that are offered", "% of the peak"),
        &lines(|sweep, outcome| 100.0 * outcome.goodput() / sweep.peak),
    )?;
    plot::draw(
        &folder.join("overload-latency.svg"),
        "How long answered calls take (p99)",
        ("times the peak that are offered", "ms"),
        &lines(|_, outcome| outcome.quantile(0.99, Result::is_ok)),
    )
}
