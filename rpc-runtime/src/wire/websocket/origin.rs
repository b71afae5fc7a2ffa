//! Which pages may connect: RFC 6455, section 10.2.
//!
//! A browser lets every page open a WebSocket to every server, with the user's cookies, and tells the
//! server only which page it is. So a server that does not ask serves every site its users visit.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::uri::{Authority, Uri};

use super::Settings;

/// Says whether the page that a request comes from may connect. Programs that are no browser do not
/// name one.
pub(super) fn is_allowed(headers: &HeaderMap, settings: &Settings) -> bool {
    let mut named = headers.get_all(ORIGIN).iter();
    let (origin, another) = (named.next(), named.next());
    let Some(origin) = origin else {
        return true;
    };
    if settings.any_origin {
        return true;
    }
    let (Ok(origin), None) = (origin.to_str(), another) else {
        return false;
    };
    settings
        .origins
        .iter()
        .any(|it| it.trim_end_matches('/').eq_ignore_ascii_case(origin))
        || is_of_this_host(origin, headers).unwrap_or(false)
}

/// Says whether the page was served under the very name and port that the request goes to.
fn is_of_this_host(origin: &str, headers: &HeaderMap) -> Option<bool> {
    let origin: Uri = origin.parse().ok()?;
    let host = Authority::try_from(headers.get(HOST)?.as_bytes()).ok()?;
    let usual = match origin.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let page = origin.authority()?;
    let is_same_host = page.host().eq_ignore_ascii_case(host.host());
    let port = |of: &Authority| of.port_u16().unwrap_or(usual);
    Some(is_same_host && port(page) == port(&host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn allowed(origin: &[&'static str], settings: &Settings) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("localhost:8080"));
        for origin in origin {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        is_allowed(&headers, settings)
    }

    #[test]
    fn a_page_of_another_site_needs_permission() {
        let own = Settings::default();
        let listed = Settings {
            origins: vec!["https://app.example/".to_owned()],
            ..Settings::default()
        };
        let any = Settings {
            any_origin: true,
            ..Settings::default()
        };
        assert!(allowed(&[], &own), "what is no browser names no origin");
        for (origin, by_own, by_listed) in [
            ("http://localhost:8080", true, true),
            ("https://LOCALHOST:8080", true, true),
            ("http://localhost", false, false),
            ("http://localhost:8081", false, false),
            ("https://app.example", false, true),
            ("https://app.example.evil", false, false),
            ("http://app.example", false, false),
            ("null", false, false),
            ("file://localhost:8080", false, false),
            ("", false, false),
        ] {
            assert_eq!(allowed(&[origin], &own), by_own, "{origin}");
            assert_eq!(allowed(&[origin], &listed), by_listed, "{origin}");
            assert!(allowed(&[origin], &any), "{origin}");
        }
        let two = ["http://localhost:8080", "https://evil.example"];
        assert!(!allowed(&two, &own));
    }

    #[test]
    fn a_port_that_is_usual_may_be_left_out() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("rpc.example"));
        headers.insert(ORIGIN, HeaderValue::from_static("https://rpc.example:443"));
        assert!(is_allowed(&headers, &Settings::default()));
    }
}
