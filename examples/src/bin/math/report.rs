//! What the demonstration prints, and whether it was what was expected.

use std::fmt::{Debug, Display};

/// Prints results in columns and counts those that are not as they should be.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: usize,
    unexpected: usize,
}

impl Report {
    /// Begins a part.
    pub(crate) fn part(&self, title: &str) {
        println!("\n{title}");
    }

    /// Prints what a call gave, which should be this value.
    pub(crate) fn gives<T, E>(&mut self, call: &str, result: Result<T, E>, expected: T)
    where
        T: PartialEq + Debug,
        E: Display,
    {
        match result {
            Ok(value) => {
                let text = format!("{value:?}");
                self.shows(call, shortened(&text), value == expected);
            }
            Err(error) => self.shows(call, error, false),
        }
    }

    /// Prints what a call failed with, which should be as `is_expected` says.
    pub(crate) fn fails<T, E>(
        &mut self,
        call: &str,
        result: Result<T, E>,
        is_expected: impl FnOnce(&E) -> bool,
    ) where
        T: Debug,
        E: Display,
    {
        match result {
            Ok(value) => self.shows(call, format!("{value:?}, and no error"), false),
            Err(error) => {
                let expected = is_expected(&error);
                self.shows(call, format!("refused: {error}"), expected);
            }
        }
    }

    /// Prints an outcome.
    pub(crate) fn shows(&mut self, what: &str, outcome: impl Display, is_expected: bool) {
        self.steps += 1;
        let mark = if is_expected { ' ' } else { '!' };
        println!("{mark} {what:<34} {outcome}");
        if !is_expected {
            self.unexpected += 1;
        }
    }

    /// Ends the demonstration.
    ///
    /// # Errors
    ///
    /// How many steps did not go as expected.
    pub(crate) fn finish(self) -> Result<(), String> {
        if self.unexpected > 0 {
            let Self { steps, unexpected } = self;
            return Err(format!(
                "{unexpected} of {steps} steps (marked `!`) went wrong"
            ));
        }
        println!("\nAll {} steps went as expected.", self.steps);
        Ok(())
    }
}

/// Leaves the middle of a long text out.
fn shortened(text: &str) -> String {
    const ENDS: usize = 20;
    let count = text.chars().count();
    if count <= 3 * ENDS {
        return text.to_owned();
    }
    let head: String = text.chars().take(ENDS).collect();
    let tail: String = text.chars().skip(count - ENDS).collect();
    format!("{head} … {tail} ({count} characters)")
}
