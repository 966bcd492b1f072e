//! What passes a proxy is captured, as long as whoever captures it keeps up.

use wirelark::{DealerSocket, Proxy, PullSocket, PushSocket};

use crate::kit::{soon, until};
use crate::proxy::{assert_is, body, line, start};
use crate::transport::{Transport, on_every_transport};

on_every_transport!(what_passes_is_captured, a_full_capture_holds_up_nobody);

async fn what_passes_is_captured(transport: Transport) {
    let (frontend, backend) = (DealerSocket::new(), DealerSocket::new());
    let (left, right) = (DealerSocket::new(), DealerSocket::new());
    left.connect(frontend.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    right
        .connect(backend.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    let (capture, witness) = (PushSocket::new(), PullSocket::new());
    witness
        .connect(capture.bind(transport.anywhere()).await.unwrap())
        .unwrap();
    until(|| capture.peers().len() == 1).await;
    let (control, _running) = start(Proxy::new(&frontend, &backend).capture(&capture));
    for number in 0..100 {
        soon(left.send(body(number))).await.unwrap();
        assert_is(&soon(right.recv()).await.unwrap(), number);
        assert_is(&soon(witness.recv()).await.unwrap(), number);
        soon(right.send("back")).await.unwrap();
        assert_eq!(soon(left.recv()).await.unwrap().text(), "back");
        assert_eq!(soon(witness.recv()).await.unwrap().text(), "back");
    }
    until(|| control.stats().backend_sent.messages == 100).await;
    assert_eq!(control.stats().uncaptured, 0);
}

async fn a_full_capture_holds_up_nobody(transport: Transport) {
    let line = line(transport, 1_000).await;
    let capture = PushSocket::new();
    let (control, _running) = start(Proxy::new(&line.frontend, &line.backend).capture(&capture));
    for number in 0..100 {
        soon(line.push.send(body(number))).await.unwrap();
        assert_is(&soon(line.pull.recv()).await.unwrap(), number);
    }
    until(|| control.stats().uncaptured == 100).await;
}
