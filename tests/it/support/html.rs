//! Reading forms and text out of a page.

use scraper::{ElementRef, Html, Selector};
use url::Url;

/// A form as it would be sent.
#[derive(Clone, Debug)]
pub struct Form {
    /// Where it goes.
    pub action: Url,
    /// Whether it is posted.
    pub post: bool,
    /// Names and values of its controls, in order; buttons are left out.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The form with these values; a name it does not have yet (a button) is added.
    #[must_use]
    pub fn with(mut self, fields: &[(&str, &str)]) -> Self {
        for (name, value) in fields {
            self = self.without(name);
            self.fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        self
    }

    /// The form without the fields of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// Value of the first field of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The first form of a page that has a control of every one of `names`.
pub fn find_form(page: &Url, body: &str, names: &[&str]) -> Option<Form> {
    let html = Html::parse_document(body);
    let forms = selector("form");
    let controls = selector("input, select, textarea, button");
    let form = html.select(&forms).find(|form| {
        let has = |name: &&str| form.select(&controls).any(|c| c.attr("name") == Some(name));
        names.iter().all(has)
    })?;
    Some(read(page, form))
}

/// Every form of a page.
pub fn forms(page: &Url, body: &str) -> Vec<Form> {
    Html::parse_document(body).select(&selector("form")).map(|form| read(page, form)).collect()
}

fn read(page: &Url, form: ElementRef<'_>) -> Form {
    let action = form.attr("action").unwrap_or_default();
    Form {
        action: page.join(action).expect("a URL in action"),
        post: form.attr("method").is_some_and(|m| m.eq_ignore_ascii_case("post")),
        fields: form.select(&selector("input, select, textarea, button")).filter_map(field).collect(),
    }
}

/// Text of the first element that a CSS selector finds, white space joined.
pub fn text(body: &str, css: &str) -> Option<String> {
    let html = Html::parse_document(body);
    let element = html.select(&selector(css)).next()?;
    let words: Vec<_> = element.text().flat_map(str::split_whitespace).collect();
    Some(words.join(" "))
}

fn field(control: ElementRef<'_>) -> Option<(String, String)> {
    let name = control.attr("name")?.to_owned();
    let value = control.attr("value");
    let value = match control.value().name() {
        "input" => match control.attr("type").unwrap_or("text") {
            "submit" | "button" | "image" | "reset" | "file" => return None,
            "checkbox" | "radio" => {
                control.attr("checked")?;
                value.unwrap_or("on").to_owned()
            }
            _ => value.unwrap_or_default().to_owned(),
        },
        "textarea" => control.text().collect(),
        "select" => {
            let options = selector("option");
            let chosen = control.select(&options).find(|o| o.attr("selected").is_some());
            let option = chosen.or_else(|| control.select(&options).next())?;
            let label = option.text().collect::<String>();
            option.attr("value").map_or(label, str::to_owned)
        }
        _ => return None,
    };
    Some((name, value))
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).expect("a CSS selector")
}
