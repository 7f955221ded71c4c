//! stub

use std::net::SocketAddr;

#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
}

impl FaultProxy {
    pub async fn start(broker: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { address: broker })
    }
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
