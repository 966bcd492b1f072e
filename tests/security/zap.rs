//! Handlers of ZAP: only those that answer, and by the letter, let anybody in.

use std::time::Duration;

use wirelark::{Context, RepSocket, Zap};

use super::*;

#[tokio::test]
async fn handlers_of_zap_decide_by_the_letter() {
    type Reply = &'static [&'static str];
    let good: Reply = &["1.0", "1", "200", "", "ada", ""];
    let cases: [(Reply, Option<u16>); 8] = [
        (good, None),
        (&["1.0", "1", "400", "no", "", ""], Some(400)),
        (&["1.0", "1", "300", "no", "", ""], Some(300)),
        (&["1.0", "1", "500", "no", "", ""], Some(500)),
        (&["1.0", "1", "200", "", "ada"], Some(300)),
        (&["1.0", "2", "200", "", "ada", ""], Some(300)),
        (&["2.0", "1", "200", "", "ada", ""], Some(300)),
        (&["1.0", "1", "200", "", "ada", "garbage"], Some(300)),
    ];
    for (reply, status) in cases {
        for Mechanism {
            name,
            client,
            server,
            keys,
        } in mechanisms()
        {
            let context = Context::new();
            let handler = RepSocket::builder().context(&context).build();
            soon(handler.bind("inproc://zeromq.zap.01")).await.unwrap();
            let asked = tokio::spawn(async move {
                let request = soon(handler.recv()).await.unwrap();
                let frames: Vec<Vec<u8>> = request.frames().map(<[u8]>::to_vec).collect();
                request.reply(reply.to_vec()).await.unwrap();
                frames
            });
            let access = Access::by(Zap::of(&context)).domain("cave");
            let meeting = meet(server(access, &keys), client).await;
            match status {
                None => meeting.succeeds(Some("ada")).await,
                Some(status) => {
                    let (own, _) = meeting.fails().await;
                    let DisconnectReason::Denied(denial) = own else {
                        panic!("{own:?}");
                    };
                    assert_eq!(denial.status(), status, "{name} {reply:?}");
                }
            }
            let asked = asked.await.unwrap();
            let head: [&[u8]; 6] = [b"1.0", b"1", b"cave", b"127.0.0.1", b"", name.as_bytes()];
            assert_eq!(asked[..6], head);
            let credentials = match name {
                "PLAIN" => vec![b"ada".to_vec(), PASSWORD.as_bytes().to_vec()],
                "CURVE" => vec![asked[6].clone()],
                _ => vec![],
            };
            assert_eq!(asked[6..], credentials);
        }
    }
}

#[tokio::test]
async fn without_a_handler_of_zap_nobody_gets_in() {
    for Mechanism {
        client,
        server,
        keys,
        ..
    } in mechanisms()
    {
        let context = Context::new();
        let zap = || Access::by(Zap::of(&context)).deadline(Duration::from_millis(20));
        let (own, _) = meet(server(zap(), &keys), client.clone())
            .await
            .fails()
            .await;
        assert!(matches!(own, DisconnectReason::Denied(_)), "{own:?}");
        // Nor with one that dies over the question.
        let handler = RepSocket::builder().context(&context).build();
        soon(handler.bind("inproc://zeromq.zap.01")).await.unwrap();
        let dying = tokio::spawn(async move {
            drop(soon(handler.recv()).await.unwrap());
            soon(handler.close()).await;
        });
        let (own, _) = meet(server(zap(), &keys), client).await.fails().await;
        assert!(matches!(own, DisconnectReason::Denied(_)), "{own:?}");
        dying.await.unwrap();
    }
}
