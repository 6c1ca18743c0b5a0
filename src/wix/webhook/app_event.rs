//! What happened to an installation of the app.

/// What happened to an installation of the app, by the `eventType` of the webhook.
///
/// The details are in [`WebhookEvent::data`](super::WebhookEvent::data).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AppEvent {
    /// `AppInstalled`: somebody has installed the app on a site.
    Installed,
    /// `AppRemoved`: somebody has removed the app from a site.
    Removed,
    /// `PaidPlanPurchased`: a paid plan was bought.
    PlanPurchased,
    /// `PaidPlanChanged`: a paid plan was replaced by another one.
    PlanChanged,
    /// `PaidPlanTransferred` or `PlanTransferred`: a paid plan has gone to another account.
    PlanTransferred,
    /// `PaidPlanReactivated` or `PlanReactivated`: a paid plan counts again.
    PlanReactivated,
    /// `PaidPlanConvertedToPaid` or `PlanConvertedToPaid`: a free trial has become a paid plan.
    PlanConvertedToPaid,
    /// `PaidPlanAutoRenewalCancelled`: a paid plan ends when its time is over.
    AutoRenewalCancelled,
    /// `SitePropertiesUpdated`: the properties of the site have changed.
    SitePropertiesUpdated,
}

impl AppEvent {
    pub(super) fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "AppInstalled" => Self::Installed,
            "AppRemoved" => Self::Removed,
            "PaidPlanPurchased" => Self::PlanPurchased,
            "PaidPlanChanged" => Self::PlanChanged,
            // Wix writes the newer ones in two ways.
            "PaidPlanTransferred" | "PlanTransferred" => Self::PlanTransferred,
            "PaidPlanReactivated" | "PlanReactivated" => Self::PlanReactivated,
            "PaidPlanConvertedToPaid" | "PlanConvertedToPaid" => Self::PlanConvertedToPaid,
            "PaidPlanAutoRenewalCancelled" => Self::AutoRenewalCancelled,
            "SitePropertiesUpdated" => Self::SitePropertiesUpdated,
            _ => return None,
        })
    }
}
