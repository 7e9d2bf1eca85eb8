// Whether Streamlit runs the page's script, or cannot.

export function busy() {
  const app = /** @type {HTMLElement | null} */ (document.querySelector('[data-testid="stApp"]'));
  const { testScriptState: script = "notRunning", testConnectionState: connection = "CONNECTED" } = app?.dataset ?? {};
  return ["running", "rerunRequested"].includes(script) || connection !== "CONNECTED";
}
