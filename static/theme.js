// Runs before first paint, so a chosen theme never flashes. Without JavaScript the
// stylesheet follows the system preference by itself.
(function (root) {
  root.classList.add("js");
  try {
    var chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.bsTheme = chosen;
  } catch (blocked) {
    // Storage may be refused (private windows); the system preference then decides.
  }
})(document.documentElement);
