//! The endpoints of the system that Waggle replaces, for its n8n workflows and its review page.
//!
//! Everything here is a thin layer over the use cases of the native API. n8n repeats a failed call
//! up to three times with the same bytes, follows a redirect with an empty GET, and shows the
//! `message` of a response to its user. Therefore every path responds directly, with and without a
//! trailing slash, repeated calls get the same response, and every error response has a `message`.

mod batch_reader;
mod check_duplicate_tweet;
mod json;
mod note;
mod receive_tweets;
mod review;

use poem::{Route, delete, get, post};

/// The OpenAPI description of the two workflow endpoints: paths, schemas and a tag.
pub(crate) const DOCUMENT: &str = include_str!("n8n/openapi.json");

/// The routes of all paths that the workflows and the old review page call.
pub(crate) fn routes() -> Route {
    let mut route = Route::new();
    // The workflow calls `/api`; the system that Waggle replaces served `/twitter/api`.
    for prefix in ["/api", "/twitter/api"] {
        for slash in ["", "/"] {
            let path = |name: &str| format!("{prefix}/{name}{slash}");
            route = route
                .at(path("check-duplicate-tweet"), post(check_duplicate_tweet::handle))
                .at(path("receive-tweets"), post(receive_tweets::handle));
        }
    }
    for slash in ["", "/"] {
        let path = |name: &str| format!("/twitter/api/{name}{slash}");
        route = route
            .at(path("tweet-details/:id"), get(review::tweet_details))
            .at(path("delete-tweet/:id"), delete(review::delete_tweet))
            .at(
                path("bulk-delete-tweets"),
                delete(review::bulk_delete_tweets).post(review::bulk_delete_tweets),
            )
            .at(path("save-generated-tweet/:id"), post(review::save_generated_tweet))
            .at(path("approve-generated-tweet/:id"), post(review::approve_generated_tweet))
            .at(path("reject-generated-tweet/:id"), post(review::reject_generated_tweet))
            .at(path("delete-generated-tweet/:id"), delete(review::delete_generated_tweet))
            .at(path("post-tweet-to-x/:id"), post(review::post_tweet_to_x))
            .at(format!("/twitter/sourcetweet/export{slash}"), get(review::export_source_tweets));
    }
    route
}
