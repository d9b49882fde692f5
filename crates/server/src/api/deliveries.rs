//! `/api/v1/admin/deliveries`

use actix_web::{HttpResponse, web::Data};

use super::{Office, problem::Problem};
use crate::{
    admin::{
        Page,
        deliveries::{self, DeliveryQuery, DeliveryView},
    },
    app::App,
};

/// What is to reach applications, such as sign-outs; the newest first.
#[utoipa::path(get, path = "/api/v1/admin/deliveries", tag = "Deliveries", params(DeliveryQuery),
    responses((status = 200, description = "A part of the list", body = Page<DeliveryView>)))]
pub async fn list(office: Office) -> Result<HttpResponse, Problem> {
    Ok(office.page(&deliveries::list(&office.desk, office.query()?).await?))
}

/// One delivery.
#[utoipa::path(get, path = "/api/v1/admin/deliveries/{id}", tag = "Deliveries",
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "The delivery", body = DeliveryView)))]
pub async fn show(office: Office) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(deliveries::show(&office.desk, office.path::<i64>()?).await?))
}

/// Tries a delivery again at once, as if it were new.
#[utoipa::path(post, path = "/api/v1/admin/deliveries/{id}/repeat", tag = "Deliveries",
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, description = "As it is now", body = DeliveryView)))]
pub async fn repeat(office: Office, app: Data<App>) -> Result<HttpResponse, Problem> {
    office.unconditional()?;
    let repeated = deliveries::repeat(&office.desk, office.path::<i64>()?).await?;
    app.deliveries.wake();
    Ok(HttpResponse::Ok().json(repeated))
}
