package main

import (
	"context"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// fluxRequest is a part of a Kustomization, and what it would build.
type fluxRequest struct {
	Objects          objects                       `json:"objects"`
	HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
	// Name of the Kustomization: two of them are two owners.
	Name string `json:"name"`
	// Force is spec.force: what cannot be changed is deleted and made again.
	Force bool `json:"force"`
	// TimeoutMillis is spec.timeout with spec.wait; zero does not wait.
	TimeoutMillis int64 `json:"timeoutMillis"`
}

// kstatusOf is what Flux without expressions, Helm and others that wait make of each object.
func kstatusOf() (any, error) {
	var request struct {
		Objects objects `json:"objects"`
	}
	if err := input(&request); err != nil {
		return nil, err
	}
	verdicts := []verdict{}
	for _, object := range request.Objects {
		result, err := status.Compute(object)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, verdict{Status: result.Status.String(), Message: result.Message})
	}
	return verdicts, nil
}

// fluxHealth evaluates the expressions of a Kustomization; an object without one has kstatus, as in the controller.
func fluxHealth() (any, error) {
	var request fluxRequest
	if err := input(&request); err != nil {
		return nil, err
	}
	verdicts := []verdict{}
	for _, object := range request.Objects {
		result, err := status.Compute(object)
		for _, check := range request.HealthCheckExprs {
			if check.APIVersion == object.GetAPIVersion() && check.Kind == object.GetKind() {
				evaluator, parsed := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
				if parsed != nil {
					return nil, parsed
				}
				result, err = evaluator.Evaluate(context.Background(), object)
			}
		}
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, verdict{Status: result.Status.String(), Message: result.Message})
	}
	return verdicts, nil
}

// managed reads a request, and has what carries it out on the cluster.
func managed() (fluxRequest, *ssa.ResourceManager, error) {
	var request fluxRequest
	if err := input(&request); err != nil {
		return request, nil, err
	}
	manager, err := request.manager()
	return request, manager, err
}

// fluxApply applies as the kustomize-controller does, and waits if it is told to.
func fluxApply() (any, error) {
	request, manager, err := managed()
	if err != nil {
		return nil, err
	}
	options := ssa.DefaultApplyOptions()
	options.Force = request.Force
	changes, err := manager.ApplyAllStaged(context.Background(), request.Objects, options)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{"changes": changes.ToMap()}
	if request.TimeoutMillis > 0 {
		wait := ssa.WaitOptions{
			Interval: 100 * time.Millisecond,
			Timeout:  time.Duration(request.TimeoutMillis) * time.Millisecond,
			FailFast: true,
		}
		if err := manager.Wait(request.Objects, wait); err != nil {
			answer["failed"] = err.Error()
		}
	}
	return answer, nil
}

// fluxDelete prunes: it deletes what a Kustomization of this name had applied.
func fluxDelete() (any, error) {
	request, manager, err := managed()
	if err != nil {
		return nil, err
	}
	options := ssa.DefaultDeleteOptions()
	options.Inclusions = manager.GetOwnerLabels(request.Name, "flux-system")
	changes, err := manager.DeleteAll(context.Background(), request.Objects, options)
	if err != nil {
		return nil, err
	}
	return map[string]any{"changes": changes.ToMap()}, nil
}

func (r fluxRequest) manager() (*ssa.ResourceManager, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	// As the controller's own defaults are.
	config.QPS, config.Burst = 50, 300
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return nil, err
	}
	kube, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return nil, err
	}
	var readers []engine.StatusReader
	if len(r.HealthCheckExprs) > 0 {
		make, err := cel.NewStatusReader(r.HealthCheckExprs)
		if err != nil {
			return nil, err
		}
		readers = append(readers, make(mapper))
	}
	poller := polling.NewStatusPoller(kube, mapper, polling.Options{CustomStatusReaders: readers})
	manager := ssa.NewResourceManager(kube, poller, ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
	manager.SetOwnerLabels(r.Objects, r.Name, "flux-system")
	return manager, nil
}
