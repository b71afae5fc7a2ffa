//! What of our calls is JSON-RPC; the rest is as in [`client`](crate::wire::http::client).

use bytes::Bytes;
use http::StatusCode;

use crate::call::Request;
use crate::status::Status;
use crate::wire::http::grpc::status::code_of_http;
use crate::wire::jsonrpc::{Dialect, answer_of, request};

/// The id of every call: there is only one in a request.
const ID: u64 = 1;

/// Checks that a call does not stream.
pub(in crate::wire::http) fn check_kind(request: &Request) -> Result<(), Status> {
    match request::ending(Dialect::JSON_RPC, request)? {
        None => Ok(()),
        Some(_) => {
            let text = "JSON-RPC has no streams over HTTP: connect with `jsonrpc+ws://`";
            Err(Status::unimplemented(text))
        }
    }
}

/// Writes the text of a call, whose metadata is in the headers.
pub(in crate::wire::http) fn text(request: &mut Request, limit: usize) -> Result<Bytes, Status> {
    request.metadata_mut().clear();
    let text = request::text(Dialect::JSON_RPC, request, ID, limit)?;
    Ok(text.freeze())
}

/// Takes the result out of an answer.
pub(in crate::wire::http) fn result(http: StatusCode, text: &Bytes) -> Result<Bytes, Status> {
    if let Some(answer) = answer_of(Dialect::JSON_RPC, text, ID) {
        return answer;
    }
    if http.is_success() {
        let text = "the server did not answer with what JSON-RPC has";
        return Err(Status::internal(text));
    }
    let text = format!("the server answered with HTTP status {http} and no error");
    Err(Status::new(code_of_http(http), text).into_remote())
}
