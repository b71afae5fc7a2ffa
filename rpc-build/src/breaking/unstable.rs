//! Which packages promise nothing yet.

/// Whether the last part of a package's name is the version of something that is not stable: `v1alpha1`, `v1beta`,
/// `v1p2beta1`, `v1test`, `v1testsomething`. It has to have a part before it. This is buf's `ignore_unstable_packages`.
pub(super) fn is_unstable(package: &str) -> bool {
    let Some(version) = package
        .rsplit_once('.')
        .and_then(|(_, last)| last.strip_prefix('v'))
    else {
        return false;
    };
    if let Some((major, _)) = version.split_once("test") {
        return is_number(major);
    }
    let (alpha, beta) = (version.split_once("alpha"), version.split_once("beta"));
    let ((Some((before, minor)), None) | (None, Some((before, minor)))) = (alpha, beta) else {
        return false;
    };
    let (major, patch) = match before.split_once('p') {
        Some((major, patch)) => (major, Some(patch)),
        None => (before, None),
    };
    is_number(major) && patch.is_none_or(is_number) && (minor.is_empty() || is_number(minor))
}

/// A number from 1 to what 32 bits hold.
fn is_number(text: &str) -> bool {
    text.parse::<i32>().is_ok_and(|number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::is_unstable;

    #[test]
    fn versions_that_promise_nothing() {
        for package in [
            "a.v1alpha1",
            "a.v1alpha",
            "a.b.v12beta3",
            "a.v1p2beta1",
            "a.v1test",
            "a.v1testfoo",
            "a.v1testalpha",
        ] {
            assert!(is_unstable(package), "{package}");
        }
        for package in [
            "",
            "a",
            "v1beta1",
            "a.v1",
            "a.v0beta1",
            "a.v1beta0",
            "a.beta1",
            "a.vbeta1",
            "a.v1beta1.b",
            "a.v1alphabeta",
            "a.v1p0beta1",
            "a.v1p1",
            "a.vtest",
            "a.v99999999999beta1",
        ] {
            assert!(!is_unstable(package), "{package}");
        }
    }
}
