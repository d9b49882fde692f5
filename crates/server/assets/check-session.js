// OIDC Session Management 1.0, section 3.2: answers "unchanged", "changed" or "error" to the frame of an application.
(function () {
  'use strict';
  var name = document.documentElement.dataset.cookie + '=';

  function known() {
    var found = document.cookie.split('; ').find(function (one) { return one.indexOf(name) === 0; });
    return found ? found.slice(name.length) : '';
  }

  function text(hash) {
    var bytes = String.fromCharCode.apply(null, new Uint8Array(hash));
    return btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }

  window.addEventListener('message', function (event) {
    if (!event.source || event.source === window) { return; }
    function answer(word) { event.source.postMessage(word, event.origin === 'null' ? '*' : event.origin); }
    var sent = typeof event.data === 'string' ? event.data : '';
    var space = sent.lastIndexOf(' '), dot = sent.lastIndexOf('.');
    if (event.origin === 'null' || space < 1 || dot <= space + 1 || dot === sent.length - 1) { answer('error'); return; }
    var client = sent.slice(0, space), expected = sent.slice(space + 1), salt = sent.slice(dot + 1), state = known();
    if (!state) {
      // A browser that keeps cookies from frames of other sites: whether somebody is signed in cannot be told here.
      var open = document.hasStorageAccess ? document.hasStorageAccess() : Promise.resolve(true);
      open.then(function (has) { answer(has ? 'changed' : 'error'); }, function () { answer('error'); });
      return;
    }
    if (!window.crypto || !crypto.subtle) { answer('error'); return; }
    var parts = [client, event.origin, state, salt].join(' ');
    crypto.subtle.digest('SHA-256', new TextEncoder().encode(parts)).then(function (hash) {
      answer(text(hash) + '.' + salt === expected ? 'unchanged' : 'changed');
    }, function () { answer('error'); });
  });
}());
