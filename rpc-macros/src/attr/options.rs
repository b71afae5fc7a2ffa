//! The options of a service and of a method.

use proc_macro2::TokenStream;
use syn::{Ident, LitStr, Path};

use super::entries::{Entries, Entry};
use crate::errors::Errors;
use crate::names::{RenameRule, is_version, wire_name_problem};

const SERVICE_OPTIONS: &[&str] = &[
    "name",
    "version",
    "rename_all",
    "codec",
    "fingerprint",
    "descriptors",
    "client_trait",
    "mock",
    "crate",
];

const METHOD_OPTIONS: &[&str] = &[
    "name",
    "idempotent",
    "read_only",
    "once",
    "resumable",
    "blocking",
    "bare",
    "priority",
    "timeout",
    "since",
];

/// The variants of `Priority`.
const PRIORITIES: &[&str] = &["Low", "Normal", "High"];

/// The options of `#[rpc_service(..)]`.
#[derive(Default)]
pub(crate) struct ServiceOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) rename_all: Option<RenameRule>,
    pub(crate) codec: Option<Path>,
    pub(crate) fingerprint: Option<u64>,
    pub(crate) descriptors: Option<Path>,
    pub(crate) client_trait: Option<Ident>,
    pub(crate) mock: Option<Ident>,
    pub(crate) crate_path: Option<Path>,
}

impl ServiceOptions {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut entries = Entries::new(SERVICE_OPTIONS);
        entries.read(tokens, errors);
        let mut options = Self::default();
        for entry in entries {
            match entry.key.to_string().as_str() {
                "name" => options.name = wire_name(entry, "math.v1.Math", errors),
                "version" => options.version = version(entry, errors),
                "rename_all" => options.rename_all = rename_rule(entry, errors),
                "codec" => options.codec = entry.into_path("my_crate::MyCodec", errors),
                "fingerprint" => options.fingerprint = fingerprint(entry, errors),
                "descriptors" => {
                    options.descriptors = entry.into_path("FILE_DESCRIPTOR_SET", errors);
                }
                "client_trait" => options.client_trait = entry.into_flag(errors),
                "mock" => options.mock = entry.into_flag(errors),
                _ => options.crate_path = entry.into_path("::rpc_runtime", errors),
            }
        }
        options
    }
}

/// The options of `#[rpc(..)]` on a method. Flags keep their tokens, for errors about them.
#[derive(Default)]
pub(crate) struct MethodOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) read_only: Option<Ident>,
    pub(crate) once: Option<Ident>,
    pub(crate) resumable: Option<Ident>,
    pub(crate) blocking: Option<Ident>,
    pub(crate) bare: Option<Ident>,
    pub(crate) priority: Option<Ident>,
    pub(crate) timeout_millis: Option<u64>,
    pub(crate) since: Option<LitStr>,
}

impl MethodOptions {
    /// Reads the lists of all `#[rpc(..)]` of one method.
    pub(crate) fn parse(lists: Vec<TokenStream>, errors: &mut Errors) -> Self {
        let mut entries = Entries::new(METHOD_OPTIONS);
        for tokens in lists {
            entries.read(tokens, errors);
        }
        let mut options = Self::default();
        for entry in entries {
            match entry.key.to_string().as_str() {
                "name" => options.name = wire_name(entry, "sayHello", errors),
                "idempotent" => options.idempotent = entry.into_flag(errors),
                "read_only" => options.read_only = entry.into_flag(errors),
                "once" => options.once = entry.into_flag(errors),
                "resumable" => options.resumable = entry.into_flag(errors),
                "blocking" => options.blocking = entry.into_flag(errors),
                "bare" => options.bare = entry.into_flag(errors),
                "priority" => options.priority = entry.into_name(PRIORITIES, errors),
                "timeout" => options.timeout_millis = timeout(entry, errors),
                _ => options.since = since(entry, errors),
            }
        }
        options
    }
}

fn wire_name(entry: Entry, example: &str, errors: &mut Errors) -> Option<LitStr> {
    let text = entry.into_text(example, errors)?;
    if let Some(problem) = wire_name_problem(&text.value()) {
        errors.push(&text, problem);
        return None;
    }
    Some(text)
}

fn version(entry: Entry, errors: &mut Errors) -> Option<LitStr> {
    let text = entry.into_text("v1", errors)?;
    if !is_version(&text.value()) {
        errors.push(
            &text,
            "a version is a `v` and a number, as in `version = \"v1\"` or `version = \"v2beta1\"`",
        );
        return None;
    }
    Some(text)
}

fn fingerprint(entry: Entry, errors: &mut Errors) -> Option<u64> {
    let text = entry.into_text("0123456789abcdef", errors)?;
    let digits = text.value();
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 16 || !digits.bytes().all(is_digit) {
        errors.push(
            &text,
            "a fingerprint has 16 hexadecimal digits, as in `fingerprint = \"0123456789abcdef\"`",
        );
        return None;
    }
    u64::from_str_radix(&digits, 16).ok()
}

fn rename_rule(entry: Entry, errors: &mut Errors) -> Option<RenameRule> {
    let text = entry.into_text("camelCase", errors)?;
    let rule = RenameRule::from_name(&text.value());
    if rule.is_none() {
        let names = RenameRule::ALL.map(|(name, _)| name);
        errors.push(
            &text,
            format!(
                "unknown rule {:?}, {}",
                text.value(),
                super::entries::expected(&names)
            ),
        );
    }
    rule
}

fn since(entry: Entry, errors: &mut Errors) -> Option<LitStr> {
    let text = entry.into_text("1.2", errors)?;
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if !text.value().split('.').all(is_number) {
        errors.push(
            &text,
            "`since` takes numbers with dots between them, as in `since = \"1.2\"`",
        );
        return None;
    }
    Some(text)
}

fn timeout(entry: Entry, errors: &mut Errors) -> Option<u64> {
    let text = entry.into_text("30s", errors)?;
    let millis = parse_timeout(&text.value());
    if millis.is_none() {
        errors.push(
            &text,
            "a timeout is a whole number above zero and a unit: `500ms`, `30s`, `5m` or `1h`",
        );
    }
    millis
}

/// The milliseconds in `500ms`, `30s`, `5m` or `1h`.
fn parse_timeout(text: &str) -> Option<u64> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_start);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (millis > 0).then_some(millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn timeouts_are_a_number_and_a_unit() {
        assert_eq!(parse_timeout("500ms"), Some(500));
        assert_eq!(parse_timeout("30s"), Some(30_000));
        assert_eq!(parse_timeout("5m"), Some(300_000));
        assert_eq!(parse_timeout("1h"), Some(3_600_000));
        for bad in [
            "",
            "5",
            "s",
            "0s",
            "1.5s",
            "-1s",
            "1 s",
            "1d",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
        assert_eq!(parse_timeout("18446744073709551615h"), None);
    }

    #[test]
    fn service_options_are_read() {
        let mut errors = Errors::default();
        let options = ServiceOptions::parse(
            quote!(
                name = "a.B",
                version = "v1",
                rename_all = "kebab-case",
                codec = my::Codec,
                fingerprint = "00000000000000ff",
                descriptors = super::DESCRIPTORS,
                client_trait,
                crate = crate::rpc
            ),
            &mut errors,
        );
        assert!(errors.into_messages().is_empty());
        assert_eq!(
            options.name.map(|name| name.value()).as_deref(),
            Some("a.B")
        );
        assert_eq!(options.rename_all, Some(RenameRule::Kebab));
        assert!(options.version.is_some() && options.codec.is_some());
        assert_eq!(options.fingerprint, Some(255));
        assert!(options.descriptors.is_some());
        assert!(options.client_trait.is_some() && options.crate_path.is_some());
    }

    #[test]
    fn mistakes_in_service_options_say_what_is_allowed() {
        let mut errors = Errors::default();
        let tokens = quote!(
            nmae = "x",
            name = "a b",
            version = "1",
            rename_all = "Train-Case",
            fingerprint = "+00000000000000F"
        );
        ServiceOptions::parse(tokens, &mut errors);
        let messages = errors.into_messages();
        assert_eq!(
            messages[0],
            "unknown option `nmae`, expected one of `name`, `version`, `rename_all`, `codec`, \
             `fingerprint`, `descriptors`, `client_trait`, `mock`, `crate`"
        );
        assert!(messages[1].contains("contains ' '"), "{messages:?}");
        assert!(messages[2].contains("`version = \"v1\"`"), "{messages:?}");
        assert!(
            messages[3].contains("`SCREAMING_SNAKE_CASE`"),
            "{messages:?}"
        );
        assert!(messages[4].contains("16 hexadecimal"), "{messages:?}");
    }

    #[test]
    fn method_options_are_read_from_several_attributes() {
        let mut errors = Errors::default();
        let lists = vec![
            quote!(name = "x", idempotent),
            quote!(read_only, timeout = "2s", since = "1.2"),
            quote!(bare, blocking, bare, priority = Low, since = "soon"),
        ];
        let options = MethodOptions::parse(lists, &mut errors);
        assert_eq!(
            errors.into_messages(),
            [
                "option `bare` is given twice",
                "option `since` is given twice"
            ]
        );
        assert_eq!(options.timeout_millis, Some(2_000));
        assert!(options.name.is_some() && options.since.is_some());
        assert!(options.idempotent.is_some() && options.read_only.is_some());
        assert!(options.bare.is_some() && options.blocking.is_some());
        assert!(options.priority.is_some_and(|it| it == "Low"));
    }

    #[test]
    fn mistakes_in_method_options_are_refused() {
        let mut errors = Errors::default();
        let lists = vec![quote!(
            timeout = 30,
            since = "soon",
            name = "",
            priority = Urgent
        )];
        MethodOptions::parse(lists, &mut errors);
        let messages = errors.into_messages();
        assert!(messages[0].contains("`timeout = \"30s\"`"), "{messages:?}");
        assert!(messages[1].contains("`since = \"1.2\"`"), "{messages:?}");
        assert!(messages[2].contains("empty"), "{messages:?}");
        assert!(messages[3].contains("`High`"), "{messages:?}");
    }
}
