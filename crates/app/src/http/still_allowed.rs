//! Whether the caller of a response that takes long still has access.

use poem::Request;
use waggle_kernel::Actor;

use super::caller::let_in;
use super::refused::CallerRefused;
use crate::use_cases::UseCases;

/// The head of a request, with which its access is checked again.
pub(crate) struct StillAllowed {
    method: poem::http::Method,
    uri: poem::http::Uri,
    headers: poem::http::HeaderMap,
}

impl StillAllowed {
    pub(crate) fn of(request: &Request) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Self { method, uri, headers: request.headers().clone() }
    }

    /// Checks the access again. The check does not count as a call.
    ///
    /// # Errors
    ///
    /// [`CallerRefused`] if the session has ended, the token was revoked, a right is lost, or
    /// storage fails.
    pub(crate) async fn check(&self, app: &UseCases) -> Result<Actor, CallerRefused> {
        let builder = Request::builder().method(self.method.clone()).uri(self.uri.clone());
        let mut request = builder.finish();
        *request.headers_mut() = self.headers.clone();
        let_in(app, &mut request).await?;
        request.extensions_mut().remove::<Actor>().ok_or(CallerRefused::Missing)
    }
}
