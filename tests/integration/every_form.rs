//! Every form of method, in process and over every transport.

use futures_util::stream;
use rpc_runtime::{Channel, Code, Encoding, Server};
use rpc_tests::math::{Calculator, Line, MathClient, MathError, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};

async fn check(math: &MathClient) {
    assert_eq!(math.add(2, 3).await.unwrap(), 5);
    assert_eq!(math.twice(21).await.unwrap(), 42);
    assert_eq!(math.divide(1.0, 4.0).await.unwrap(), 0.25);
    let error = math.divide(1.0, 0.0).await.unwrap_err();
    assert_eq!(
        error.app(),
        Some(&MathError::DivisionByZero { dividend: 1.0 })
    );

    let mut count = math.count(1_000);
    let mut expected = 0;
    while let Some(number) = count.next().await {
        assert_eq!(number.unwrap(), expected);
        expected += 1;
    }
    assert_eq!(expected, 1_000);

    let mut failing = math.count_then_fail(3);
    for expected in 0..3 {
        assert_eq!(failing.next().await.unwrap().unwrap(), expected);
    }
    let error = failing.next().await.unwrap().unwrap_err();
    assert_eq!(error.app(), Some(&MathError::Overflow));
    assert!(failing.next().await.is_none());

    assert_eq!(math.sum(stream::iter(1..=100)).await.unwrap(), 5_050);
    assert_eq!(
        math.scaled_sum(2, stream::iter([1, 2, 3])).await.unwrap(),
        12
    );
    let error = math
        .scaled_sum(2, stream::iter([i64::MAX]))
        .await
        .unwrap_err();
    assert_eq!(error.app(), Some(&MathError::Overflow));

    let lines = (0..50).map(|n| Line {
        author: "ann".into(),
        text: n.to_string(),
    });
    let mut chat = math.chat("room".into(), stream::iter(lines));
    for n in 0..50 {
        assert_eq!(
            chat.next().await.unwrap().unwrap().text,
            format!("ann: {n}")
        );
    }
    assert!(chat.next().await.is_none());

    let error = math.who().await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    let reply = math
        .who()
        .metadata("name", "ann")
        .with_reply()
        .await
        .unwrap();
    assert_eq!(reply.value, "ann");
    assert_eq!(reply.metadata["served-by"], "calculator");
    assert_eq!(reply.trailers["seen"], "yes");

    assert_eq!(math.factorial(20).await.unwrap(), "2432902008176640000");
    assert_eq!(
        math.factorial(100).await.unwrap_err().app(),
        Some(&MathError::Overflow)
    );
    math.nothing().await.unwrap();
    let large: Vec<u8> = (0..300_000_u32).map(|it| it as u8).collect();
    let echoed = math
        .echo(serde_bytes::ByteBuf::from(large.clone()))
        .await
        .unwrap();
    assert!(echoed == large, "a large message comes back whole");
    assert_eq!(math.sleep(1).await.unwrap(), 1);
    assert_eq!(math.panic().await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn in_process() {
    check(&MathClient::new(MathServer::new(Calculator::new()))).await;
}

#[tokio::test]
async fn over_every_transport_in_every_encoding() {
    for transport in TRANSPORTS.into_iter().chain(["grpc"]) {
        let server = Server::new().add(MathServer::new(Calculator::new()));
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        for encoding in [Encoding::MESSAGE_PACK, Encoding::JSON] {
            check(&MathClient::new(channel.clone().with_encoding(encoding))).await;
        }
        serving.stop.shutdown();
    }
}
