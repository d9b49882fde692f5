// The code of a sign-in link stands behind "#", which no browser sends: it moves into the form, and out of the address.
const field = document.getElementById("code");
if (field && location.hash.length > 1) {
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
