//! Documentation inside of what it documents.

#[rpc_runtime::rpc_service(mock)]
pub trait Documented {
    //! Doubles numbers.
    //! And again.

    /// Doubles once.
    async fn double(&self, number: u32) -> u32;

    async fn quadruple(&self, number: u32) -> u32 {
        //! Doubles twice.
        #![allow(clippy::unused_async)]
        self.double(self.double(number).await).await
    }
}

struct Doubles;

impl Documented for Doubles {
    async fn double(&self, number: u32) -> u32 {
        number * 2
    }
}

#[tokio::test]
async fn what_is_documented_inside_works() {
    let client = DocumentedClient::new(DocumentedServer::new(Doubles));
    assert_eq!(client.quadruple(3).await.unwrap(), 12);
}
