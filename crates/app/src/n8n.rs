//! The paths and forms of the system that Waggle replaces, for its n8n workflows and review page.
//!
//! Everything here is a thin form around the same use cases that the native API has. n8n repeats a failed call
//! up to three times with the same bytes, follows a redirect with an empty GET, and shows the `message` of
//! an answer to its user: so every path is answered directly, with and without a slash, repeated
//! calls get the same answer, and every refusal has a `message`.

mod check_duplicate_tweet;
mod json;
mod note;
mod receive_tweets;
mod review;

use poem::{Route, delete, get, post};

/// The two calls of the workflows for the API document: paths, schemas and a tag.
pub(crate) const DOCUMENT: &str = include_str!("n8n/openapi.json");

/// Every path that the workflows and the old page call.
pub(crate) fn routes() -> Route {
    let mut route = Route::new();
    // The workflow calls without the prefix; the system that Waggle replaces served with it.
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
