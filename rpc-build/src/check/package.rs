//! The package of a file.

use super::File;
use crate::diagnostic::Diagnostic;
use crate::tag;

/// The most letters that the name of a package has.
const MAX_LENGTH: usize = 511;

/// The most dots that are in it.
const MAX_DOTS: usize = 100;

pub(super) fn check(file: &File<'_>, mistakes: &mut Vec<Diagnostic>) {
    let package = file.descriptor.package.as_deref().unwrap_or_default();
    let text = if package.len() > MAX_LENGTH {
        format!("the name of the package has more than {MAX_LENGTH} letters")
    } else if package.matches('.').count() > MAX_DOTS {
        format!(
            "the name of the package has more than {} parts",
            MAX_DOTS + 1
        )
    } else {
        return;
    };
    let mistake = file.mistake(&[tag::file::PACKAGE], package, text);
    mistakes.push(mistake.help("take a shorter name"));
}
