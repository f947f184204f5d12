// Tables and code that are wider than the screen can be scrolled by keyboard.
document$.subscribe(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .highlight pre > code")) box.tabIndex = 0;
});
document.querySelector('.md-search[role="dialog"]')?.setAttribute("aria-label", "Search");
