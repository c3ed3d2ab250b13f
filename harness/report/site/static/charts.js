// Charts are drawn when they come into view; their data lie in a script beside the page.
"use strict";
(() => {
  const options = { actions: { export: true, source: false, compiled: false, editor: false }, renderer: "svg" };

  const draw = async (place) => {
    try {
      await window.vegaEmbed(place, window.harnessCharts[place.dataset.chart], options);
      place.classList.add("drawn");
    } catch (error) {
      place.textContent = `This chart could not be drawn: ${error.message}`;
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target);
      }
    }, { rootMargin: "600px" });
    document.querySelectorAll("[data-chart]").forEach((place) => seen.observe(place));
    window.addEventListener("beforeprint", () => {
      document.querySelectorAll("[data-chart]:not(.drawn)").forEach(draw);
    });
  });
})();
