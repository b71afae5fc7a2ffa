//! Two sides that were built from different revisions of a service.

use rpc_runtime::call::Schema;
use rpc_runtime::{Code, Context, RpcClient, Server, rpc_service};
use rpc_tests::serving::serve;

/// What was released first.
mod first {
    #[rpc_runtime::rpc_service(name = "schemas.Users")]
    pub trait Users {
        async fn find(&self, ctx: &rpc_runtime::Context) -> Option<String>;
        async fn unfinished(&self) -> Result<u8, rpc_runtime::Status>;
        #[rpc(since = "1.9")]
        async fn count(&self) -> u32;
    }
}

/// What has one method more, and one that names no revision.
mod second {
    #[rpc_runtime::rpc_service(name = "schemas.Users")]
    pub trait Users {
        async fn find(&self) -> Option<String>;
        #[rpc(since = "1.8")]
        async fn unfinished(&self) -> Result<u8, rpc_runtime::Status>;
        #[rpc(since = "1.9")]
        async fn count(&self) -> u32;
        #[rpc(since = "1.10")]
        async fn archive(&self, id: u32) -> u32;
        async fn forget(&self, id: u32) -> u32;
    }
}

struct Old;

impl first::Users for Old {
    async fn find(&self, ctx: &Context) -> Option<String> {
        ctx.caller_schema().map(|it| it.to_string())
    }

    async fn unfinished(&self) -> Result<u8, rpc_runtime::Status> {
        Err(rpc_runtime::Status::unimplemented("not yet"))
    }

    async fn count(&self) -> u32 {
        7
    }
}

/// Without `since` anywhere.
#[rpc_service(name = "schemas.Plain", fingerprint = "00000000000000ff")]
trait Plain {
    async fn other(&self) -> u32;
}

#[tokio::test]
async fn a_method_that_the_server_does_not_have_yet_is_explained() {
    for transport in ["tcp", "mem"] {
        let server = Server::new().add(first::UsersServer::new(Old));
        let serving = serve(transport, server).await;
        let users = second::UsersClient::connect(&serving.url).await.unwrap();

        let status = users.archive(1).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(
            status.message(),
            "the service `schemas.Users` has no method `archive` (the method came with revision \
             1.10; the peer has revision 1.9, this side revision 1.10)"
        );
        // And again, as the peer has numbers for other methods now.
        assert_eq!(users.count().await.unwrap(), 7);
        let status = users.archive(1).await.unwrap_err();
        assert!(status.message().contains("revision 1.9"), "{status}");

        let status = users.forget(1).await.unwrap_err();
        let expected = "(the peer has revision 1.9, this side revision 1.10)";
        assert!(status.message().ends_with(expected), "{status}");

        // What the server has is not explained by its age.
        let status = users.unfinished().await.unwrap_err();
        assert_eq!(status.message(), "not yet");
    }
}

#[tokio::test]
async fn a_handler_learns_what_its_caller_was_built_with() {
    let server = Server::new().add(first::UsersServer::new(Old));
    let serving = serve("tcp", server).await;
    let new = second::UsersClient::connect(&serving.url).await.unwrap();
    let old = first::UsersClient::connect(&serving.url).await.unwrap();
    // The first call names the method, the second has its number.
    for _ in 0..2 {
        assert_eq!(new.find().await.unwrap().as_deref(), Some("revision 1.10"));
        assert_eq!(old.find().await.unwrap().as_deref(), Some("revision 1.9"));
    }
    let by_name = rpc_runtime::Channel::connect(&serving.url).await.unwrap();
    let told = by_name
        .call::<_, Option<String>>("schemas.Users/find", ())
        .await;
    assert_eq!(told.unwrap(), None, "a caller by name has no schema");
}

#[test]
fn a_schema_is_its_revision_or_its_fingerprint() {
    let schema = Schema::of(PlainClient::SERVICE);
    assert_eq!(schema.revision(), None);
    assert_eq!(schema.fingerprint(), 255);
    let expected = "a schema with the fingerprint 00000000000000ff";
    assert_eq!(schema.to_string(), expected);
    let (first, second) = (first::UsersClient::SERVICE, second::UsersClient::SERVICE);
    assert_ne!(first.fingerprint(), second.fingerprint());
}
