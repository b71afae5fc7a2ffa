//! How much has to stay compatible, and what may break for a reason.

use super::report::Break;
use super::rules::{RULES, rule};
use super::unstable::is_unstable;
use crate::diagnostic::Diagnostic;

/// For whom a schema stays compatible. Every level asks for all that those before it ask for, or more of the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// The binary form stays readable.
    Wire,
    /// The binary form and JSON stay readable.
    #[default]
    WireJson,
    /// Code that was generated per package still compiles, too.
    Package,
    /// Code that was generated per file still compiles, too.
    File,
}

/// What [`compare`](super::compare) looks at. The default is [`Level::WireJson`] for stable packages, without exemptions.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Policy {
    level: Level,
    unstable: bool,
    exemptions: Vec<Exemption>,
}

#[derive(Clone, Debug)]
struct Exemption {
    rule: String,
    element: String,
    reason: String,
}

impl Policy {
    /// Creates the default policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the level.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets whether packages that promise nothing yet are looked at as well; they are not by default. These are the ones whose
    /// last part is a version such as `v1alpha1`, `v1beta1`, `v1p1beta1` or `v1test`.
    pub fn check_unstable(mut self, check: bool) -> Self {
        self.unstable = check;
        self
    }

    /// Lets one element break one rule, until the change is accepted.
    ///
    /// The element is what the diagnostic says to write: a full name such as `users.v1.User.nickname`, a package, or the
    /// name of a file. A reason has to be given; it is for those who read the build script. An exemption without one, of a
    /// rule that does not exist, or that nothing needs any more, is reported as a mistake.
    pub fn allow(
        mut self,
        rule: impl Into<String>,
        element: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        self.exemptions.push(Exemption {
            rule: rule.into(),
            element: element.into(),
            reason: reason.into(),
        });
        self
    }

    /// The breaks that this policy looks at.
    pub(super) fn counting<'b, 'a>(&self, breaks: &'b [Break<'a>]) -> Vec<&'b Break<'a>> {
        breaks.iter().filter(|found| self.counts(found)).collect()
    }

    /// What is wrong with the exemptions.
    pub(super) fn mistakes(&self, breaks: &[&Break<'_>]) -> Vec<Diagnostic> {
        let mistakes = self.exemptions.iter().filter_map(|it| it.mistake(breaks));
        mistakes.collect()
    }

    /// Why something may break, if it may.
    pub(super) fn reason(&self, found: &Break<'_>) -> Option<&str> {
        let exemption = self.exemptions.iter().find(|it| it.is_for(found))?;
        Some(&exemption.reason)
    }

    /// At this level, and in a package that is looked at: what leaves an unstable package, or moves into one, is not.
    fn counts(&self, found: &Break<'_>) -> bool {
        let old = found.old.map(|(file, _)| file);
        let unstable = [old, found.new]
            .into_iter()
            .flatten()
            .any(|file| is_unstable(&file.package));
        rule(found.rule).is_some_and(|rule| rule.is_at(self.level)) && (self.unstable || !unstable)
    }
}

impl Exemption {
    fn is_for(&self, found: &Break<'_>) -> bool {
        found.rule == self.rule && found.element == self.element && !self.reason.trim().is_empty()
    }

    fn mistake(&self, breaks: &[&Break<'_>]) -> Option<Diagnostic> {
        let call = format!("`.allow(\"{}\", \"{}\", …)`", self.rule, self.element);
        if rule(&self.rule).is_none() {
            return Some(self.unknown_rule(&call));
        }
        if self.reason.trim().is_empty() {
            return Some(Diagnostic::error(format!("{call} gives no reason")).help(
                "say in the third argument why nobody is hurt, for those who read it later",
            ));
        }
        if breaks.iter().any(|found| self.is_for(found)) {
            return None;
        }
        let same: Vec<_> = breaks
            .iter()
            .filter(|found| found.rule == self.rule)
            .map(|found| format!("`{}`", found.element))
            .collect();
        let mistake = Diagnostic::error(format!(
            "{call} allows nothing: that element does not break this rule (any more)"
        ));
        Some(match same.as_slice() {
            [] => mistake.help("remove it"),
            same => mistake.help(format!(
                "remove it, or name what breaks this rule: {}",
                same.join(", ")
            )),
        })
    }

    fn unknown_rule(&self, call: &str) -> Diagnostic {
        let word = self.rule.split('_').next().unwrap_or_default();
        let ids = RULES.iter().map(|rule| rule.id);
        let near: Vec<_> = ids
            .filter(|id| id.split('_').next() == Some(word))
            .collect();
        let mistake = Diagnostic::error(format!(
            "there is no rule `{}`, which {call} names",
            self.rule
        ));
        match near.as_slice() {
            [] => mistake.help("rules have buf's names: https://buf.build/docs/breaking/rules/"),
            near => mistake.help(format!("expected one of {}", near.join(", "))),
        }
    }
}
