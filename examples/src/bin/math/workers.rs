//! `math workers`: a channel over several child processes.

use std::collections::BTreeMap;
use std::time::Instant;

use rpc_examples::math::MathClient;
use rpc_runtime::batch;

use crate::Failure;

/// How many calls are spread over the workers.
const CALLS: u32 = 12;

/// Starts the processes, gives them work, and shows who did it.
pub(crate) async fn run(count: u8) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the program's path is not UTF-8")?;
    // In a URL a white space would begin the next argument.
    let program = program.replace('%', "%25").replace(' ', "%20");
    let worker = format!("stdio:{program} serve stdio:");
    let workers = MathClient::connect(vec![worker; usize::from(count)]).await?;

    println!("{count} worker processes, {CALLS} questions who they are:");
    let questions = (0..CALLS).map(|_| workers.process_id()).collect();
    let mut answers = BTreeMap::new();
    for process in batch::<Vec<_>>(questions).await {
        *answers.entry(process?).or_insert(0) += 1;
    }
    for (process, calls) in &answers {
        println!("  process {process:<8} answered {calls} times");
    }
    if answers.len() != usize::from(count) {
        return Err(format!("{} of {count} processes answered", answers.len()).into());
    }

    println!("{CALLS} factorials, as many at once as there are processes:");
    let begun = Instant::now();
    let numbers: Vec<u32> = (1..=CALLS).map(|it| it * 300).collect();
    let work = numbers.iter().map(|&n| workers.factorial(n)).collect();
    for (n, factorial) in numbers.iter().zip(batch::<Vec<_>>(work).await) {
        println!("  {n:>5}! has {:>6} digits", factorial?.len());
    }
    println!("done in {:.0?}", begun.elapsed());
    Ok(())
}
