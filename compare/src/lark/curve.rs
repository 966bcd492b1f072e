//! What the ends of a cell demand of each other: nothing, or CURVE.

use anyhow::Result;
use wirelark::Security;

use crate::task::Task;

#[cfg(feature = "curve")]
mod with {
    use anyhow::Result;
    use wirelark::{Access, KeyPair, SecretKey, Security};

    use crate::keys;

    fn pair(secret: &str) -> Result<KeyPair> {
        Ok(KeyPair::from(secret.parse::<SecretKey>()?))
    }

    pub fn server() -> Result<Security> {
        Ok(Security::CurveServer {
            keys: pair(keys::SERVER_SECRET)?,
            access: Access::anybody(),
        })
    }

    pub fn client() -> Result<Security> {
        Ok(Security::Curve {
            server: keys::SERVER.parse()?,
            keys: pair(keys::CLIENT_SECRET)?,
        })
    }
}

#[cfg(not(feature = "curve"))]
mod with {
    use anyhow::{Result, bail};
    use wirelark::Security;

    pub fn server() -> Result<Security> {
        bail!("built without the feature `curve`")
    }

    pub use server as client;
}

/// The side that binds.
pub fn server(task: &Task) -> Result<Security> {
    if task.curve {
        return with::server();
    }
    Ok(Security::Null)
}

/// The side that connects.
pub fn client(task: &Task) -> Result<Security> {
    if task.curve {
        return with::client();
    }
    Ok(Security::Null)
}
