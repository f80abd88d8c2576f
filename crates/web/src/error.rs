//! What the interface says when something was not done.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use posta_ua::desk::DeskError;
use serde::Serialize;

/// In JSON: `{"error": "not_found", "message": "…"}`.
#[derive(Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    /// For programs.
    error: &'static str,
    /// For people.
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        ApiError { status, error, message: message.into() }
    }

    pub(crate) fn not_logged_in() -> Self {
        ApiError::new(StatusCode::UNAUTHORIZED, "not_logged_in", "log in first")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", format!("{what} is not there (any more)"))
    }
}

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        let (status, name) = match &error {
            DeskError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            DeskError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            DeskError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            DeskError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            DeskError::Failed(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
        };
        ApiError::new(status, name, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 asks for a challenge; one that browsers know would make them ask the person.
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Session realm=\"posta\""));
        }
        response
    }
}
