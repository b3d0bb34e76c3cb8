// Only where `evalsuite view` serves the page: asks for a newer one, and loads it where the reader is.
(() => {
  "use strict";
  let shown = null;
  const look = async () => {
    try {
      const state = await (await fetch("/state", { cache: "no-store" })).json();
      if (shown !== null && state.version !== shown) {
        location.reload();
        return;
      }
      shown = state.version;
      if (state.finished) return;
    } catch {
      // The server is gone or busy: what is shown stays.
    }
    setTimeout(look, 3000);
  };
  look();
})();
