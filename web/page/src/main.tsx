import { render } from "preact";
import { Chat } from "./chat";
import { Engine } from "./engine";
import { applyTheme } from "./theme";
import "./style.css";

applyTheme();
render(location.pathname === "/engine" ? <Engine /> : <Chat />, document.getElementById("page")!);
