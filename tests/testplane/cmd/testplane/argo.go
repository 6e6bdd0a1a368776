package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// argoRequest is a script of argocd-cm and what it is to be run on.
type argoRequest struct {
	Script  string  `json:"script"`
	Objects objects `json:"objects"`
}

// argoLimit is how long Argo CD lets a script run.
const argoLimit = time.Second

// argoStatuses are the words that Argo CD takes for a health; it shows any other as Unknown.
var argoStatuses = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

// argoHealth runs a health script on each object.
func argoHealth() (any, error) {
	var request argoRequest
	if err := input(&request); err != nil {
		return nil, err
	}
	verdicts := []verdict{}
	for _, object := range request.Objects {
		encoded, err := runScript(request.Script, object.Object)
		if err != nil {
			return nil, err
		}
		var found verdict
		if err := json.Unmarshal(encoded, &found); err != nil {
			return nil, fmt.Errorf("not a health: %s: %w", encoded, err)
		}
		if !slices.Contains(argoStatuses, found.Status) {
			found = verdict{Status: "Unknown", Message: "Lua returned an invalid health status"}
		}
		verdicts = append(verdicts, found)
	}
	return verdicts, nil
}

// scripted runs the request's script on its one object, and has that and what came of it.
func scripted() (*unstructured.Unstructured, []byte, error) {
	var request argoRequest
	if err := input(&request); err != nil {
		return nil, nil, err
	}
	object, err := request.Objects.only()
	if err != nil {
		return nil, nil, err
	}
	encoded, err := runScript(request.Script, object.Object)
	return object, encoded, err
}

// argoActions runs a discovery script and says which actions a person may press.
func argoActions() (any, error) {
	_, encoded, err := scripted()
	if err != nil {
		return nil, err
	}
	var found map[string]struct {
		Disabled bool `json:"disabled"`
	}
	if err := json.Unmarshal(encoded, &found); err != nil {
		return nil, fmt.Errorf("not a table of actions: %s: %w", encoded, err)
	}
	enabled := []string{}
	for name, action := range found {
		if !action.Disabled {
			enabled = append(enabled, name)
		}
	}
	slices.Sort(enabled)
	return enabled, nil
}

// argoAction runs an action and answers with the object that it would be patched to. What Lua cannot say comes back as it was, as in Argo CD:
// an empty object and an empty list are the same table there.
func argoAction() (any, error) {
	object, encoded, err := scripted()
	if err != nil {
		return nil, err
	}
	var after map[string]any
	if err := json.Unmarshal(encoded, &after); err != nil {
		return nil, fmt.Errorf("not an object: %s: %w", encoded, err)
	}
	return mendEmpty(after, object.Object), nil
}

func mendEmpty(after, before any) any {
	switch after := after.(type) {
	case []any:
		if _, was := before.(map[string]any); was && len(after) == 0 {
			return before
		}
		old, _ := before.([]any)
		for i := range min(len(after), len(old)) {
			after[i] = mendEmpty(after[i], old[i])
		}
		return after
	case map[string]any:
		old, _ := before.(map[string]any)
		for key := range after {
			after[key] = mendEmpty(after[key], old[key])
		}
		return after
	}
	return after
}

// runScript gives a script what Argo CD gives it and nothing else: the object as global obj, the libraries base, package and table, and
// the module os with two functions, which has to be required. (util/lua in argoproj/argo-cd, where useOpenLibs is not set.)
func runScript(script string, object map[string]any) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// In this order: the others are registered where package keeps them.
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	clock, err := clockFunctions()
	if err != nil {
		return nil, err
	}
	state.PreloadModule(lua.OsLibName, func(state *lua.LState) int {
		state.Push(state.SetFuncs(state.NewTable(), clock))
		return 1
	})
	limit, cancel := context.WithTimeout(context.Background(), argoLimit)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("expect table output from Lua script, not %s", returned.Type())
	}
	return luajson.Encode(returned)
}

// clockFunctions are the interpreter's own os.time and os.date.
func clockFunctions() (map[string]lua.LGFunction, error) {
	whole := lua.NewState()
	defer whole.Close()
	functions := map[string]lua.LGFunction{}
	for _, name := range []string{"time", "date"} {
		function, ok := whole.GetField(whole.GetGlobal(lua.OsLibName), name).(*lua.LFunction)
		if !ok {
			return nil, errors.New("the interpreter has no os." + name)
		}
		functions[name] = function.GFunction
	}
	return functions, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}
