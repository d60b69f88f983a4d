// Conveniences; without scripts nothing else is lost.
(() => {
  // Copy the TeX of a formula. One listener on the document survives instant navigation.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.(".eq__copy");
    if (!button) return;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.tex);
      button.textContent = "copied";
    } catch {
      button.textContent = "no clipboard";
    }
    setTimeout(() => (button.textContent = label), 1500);
  });

  // Boxes that can scroll are in the tab order, so that the keyboard can scroll them; those that need not, leave it.
  const settle = () => {
    for (const box of document.querySelectorAll(".eq__math, .graph__scroll, .md-typeset__scrollwrap")) {
      if (box.scrollWidth > box.clientWidth) {
        box.setAttribute("tabindex", "0");
        box.setAttribute("role", "group");
        if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", "Table");
      } else box.removeAttribute("tabindex");
    }
  };
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(settle, 200);
  });
  document.fonts?.ready.then(settle);
  window.document$?.subscribe(() => setTimeout(settle));

  // Material puts each copy button of a code block into a <nav> of its own; a list of landmarks has no use for them.
  new MutationObserver(() => {
    for (const nav of document.querySelectorAll("nav.md-code__nav:not([role])")) nav.setAttribute("role", "none");
  }).observe(document.body, { childList: true, subtree: true });
})();
