//! A gateway is a server in front of a channel.

use futures_util::stream;
use rpc_runtime::{Channel, Code, Server};
use rpc_tests::math::{Calculator, Line, MathClient, MathError, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};

#[tokio::test]
async fn every_pattern_passes_through_unchanged() {
    for transport in TRANSPORTS {
        let behind = serve(
            transport,
            Server::new().add(MathServer::new(Calculator::new())),
        )
        .await;
        let channel = Channel::connect(&behind.url).await.unwrap();
        let gateway = serve(transport, Server::new().fallback(channel)).await;
        let math = MathClient::connect(&gateway.url).await.unwrap();

        assert_eq!(math.add(2, 3).await.unwrap(), 5);
        let error = math.divide(1.0, 0.0).await.unwrap_err();
        assert_eq!(
            error.app(),
            Some(&MathError::DivisionByZero { dividend: 1.0 })
        );
        assert_eq!(math.who().await.unwrap_err().code(), Code::Unauthenticated);
        let reply = math
            .who()
            .metadata("name", "ann")
            .with_reply()
            .await
            .unwrap();
        assert_eq!(reply.metadata["served-by"], "calculator");
        assert_eq!(reply.trailers["seen"], "yes");
        let mut count = math.count(10_000);
        let mut items = 0;
        while let Some(item) = count.next().await {
            assert_eq!(item.unwrap(), items);
            items += 1;
        }
        assert_eq!(items, 10_000);
        assert_eq!(math.sum(stream::iter(0..5_000)).await.unwrap(), 12_497_500);
        assert_eq!(math.scaled_sum(3, stream::iter([1, 2])).await.unwrap(), 9);
        let line = Line {
            author: "ann".into(),
            text: "hi".into(),
        };
        let mut chat = math.chat("room".into(), stream::iter([line]));
        assert_eq!(chat.next().await.unwrap().unwrap().author, "room");
        assert!(chat.next().await.is_none());
        let large = serde_bytes::ByteBuf::from(vec![7; 400_000]);
        assert!(math.echo(large.clone()).await.unwrap() == large);
    }
}
