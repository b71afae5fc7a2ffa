//! The threads that peers run on.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet};

use crate::Result;
use crate::peer::Peer;
use crate::workloads::{self, Workload};

/// Runs the workload that the command line names, and ends the process.
pub fn run<P: Peer>() -> ! {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.as_str() {
        "calls" => counted(workloads::counted::run::<P>),
        "items" => counted(workloads::counted::items::<P>),
        _ => {}
    }
    let Some(workload) = Workload::named(&name) else {
        eprintln!(
            "usage: {} {} | calls NUMBER | items NUMBER",
            P::NAME,
            Workload::names().join(" | ")
        );
        std::process::exit(2);
    };
    let code = match on_runtime::<P, _>(workloads::run::<P>(workload)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{} {name}: {error:#}", P::NAME);
            1
        }
    };
    // Servers never end, so nothing is waited for.
    std::process::exit(code);
}

/// Makes the number of calls, or reads the number of items, that the command line says, all on one thread, and ends the
/// process.
fn counted<F: Future<Output = Result<()>>>(run: impl FnOnce(u64) -> F) -> ! {
    let number = std::env::args().nth(2).and_then(|it| it.parse().ok());
    let run = run(number.unwrap_or(1_000));
    let ran = single_threaded().and_then(|it| it.block_on(LocalSet::new().run_until(run)));
    if let Err(error) = &ran {
        eprintln!("{error:#}");
    }
    std::process::exit(i32::from(ran.is_err()));
}

/// The workload runs in a task, on a worker, as the code of a service would.
fn on_runtime<P, F>(workload: F) -> Result<()>
where
    P: Peer,
    F: Future<Output = Result<()>> + Send + 'static,
{
    if P::ONE_THREAD_A_SIDE {
        let runtime = single_threaded()?;
        return runtime.block_on(LocalSet::new().run_until(workload));
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async { tokio::spawn(workload).await? })
}

/// Runs a server whose objects stay on one thread on a thread of its own.
pub fn on_own_thread<F, Fut>(server: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>>,
{
    std::thread::spawn(move || -> Result<()> {
        single_threaded()?.block_on(LocalSet::new().run_until(server()))
    });
}

fn single_threaded() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub(crate) fn spawn<P: Peer, F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    if P::ONE_THREAD_A_SIDE {
        tokio::task::spawn_local(future)
    } else {
        tokio::spawn(future)
    }
}
