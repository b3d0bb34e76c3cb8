// What the page can do beyond being read. Without scripts nothing is missing: everything is in the page.
"use strict";
document.documentElement.classList.add("scripted");
