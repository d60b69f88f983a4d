// Two conveniences; without scripts nothing else is lost.
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
  const boxes = () => document.querySelectorAll(".eq__math, .graph__scroll");
  const settle = () => {
    for (const box of boxes()) {
      if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
      else box.removeAttribute("tabindex");
    }
  };
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(settle, 200);
  });
  document.fonts?.ready.then(settle);
  window.document$?.subscribe(settle);
})();
