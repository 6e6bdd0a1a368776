package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// runGitops lets one of the tools that people wait with judge objects, by that tool's own code: one JSON document on stdin, one on
// stdout. Only flux-apply and flux-delete speak to a cluster, the one that KUBECONFIG names.
func runGitops(args []string) int {
	verbs := map[string]func() (any, error){
		"argo-health":  argoHealth,
		"argo-actions": argoActions,
		"argo-action":  argoAction,
		"kstatus":      kstatusOf,
		"flux-health":  fluxHealth,
		"flux-apply":   fluxApply,
		"flux-delete":  fluxDelete,
	}
	if len(args) != 1 || verbs[args[0]] == nil {
		fmt.Fprintln(os.Stderr, "usage: gitops argo-health|argo-actions|argo-action|kstatus|flux-health|flux-apply|flux-delete < JSON")
		return 2
	}
	answer, err := verbs[args[0]]()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// input reads stdin, whole numbers as integers, as a Kubernetes client does; a field that nobody knows is an error.
func input(into any) error {
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// objects are manifests, or what an API server would show.
type objects []*unstructured.Unstructured

func (o *objects) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for _, one := range raw {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(one); err != nil {
			return err
		}
		*o = append(*o, object)
	}
	return nil
}

// verdict is what a tool makes of an object.
type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// only is the one object of a request that is about one.
func (o objects) only() (*unstructured.Unstructured, error) {
	if len(o) != 1 {
		return nil, errors.New("this takes exactly one object")
	}
	return o[0], nil
}
