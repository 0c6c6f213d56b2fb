// Writes the samples of CustomResourceDefinition and APIService into the directory above with upstream's own types and
// marshallers. k8s.io/api has samples of every other kind. Run `go run .` in this directory with Go 1.26 or newer.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"time"

	crd "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	agg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/yaml"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// filler sets every field to a value made of its name; schemas are filled two levels deep.
type filler struct {
	count   int64
	schemas int
}

var (
	timeType      = reflect.TypeOf(metav1.Time{})
	jsonType      = reflect.TypeOf(crd.JSON{})
	fieldsType    = reflect.TypeOf(metav1.FieldsV1{})
	schemaType    = reflect.TypeOf(crd.JSONSchemaProps{})
	orBoolType    = reflect.TypeOf(crd.JSONSchemaPropsOrBool{})
	orArrayType   = reflect.TypeOf(crd.JSONSchemaPropsOrArray{})
	orStringsType = reflect.TypeOf(crd.JSONSchemaPropsOrStringArray{})
)

func (f *filler) fill(name string, v reflect.Value) {
	f.count++
	switch v.Type() {
	case timeType:
		v.Set(reflect.ValueOf(metav1.NewTime(time.Date(2000+int(f.count%100), 2, 3, 4, 5, 6, 0, time.UTC))))
		return
	case jsonType:
		v.Set(reflect.ValueOf(crd.JSON{Raw: []byte(`{"a":"x y","b":[1,2.5,null]}`)}))
		return
	case fieldsType:
		v.Set(reflect.ValueOf(metav1.FieldsV1{Raw: []byte(`{"f:spec":{".":{}}}`)}))
		return
	case orBoolType:
		if f.schemas == 1 {
			var schema crd.JSONSchemaProps
			f.fill(name, reflect.ValueOf(&schema).Elem())
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrBool{Allows: true, Schema: &schema}))
		} else {
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrBool{Allows: f.count%2 == 0}))
		}
		return
	case orArrayType:
		var one, two crd.JSONSchemaProps
		f.fill(name, reflect.ValueOf(&one).Elem())
		f.fill(name, reflect.ValueOf(&two).Elem())
		if f.schemas == 1 {
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrArray{JSONSchemas: []crd.JSONSchemaProps{one, two}}))
		} else {
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrArray{Schema: &one}))
		}
		return
	case orStringsType:
		if f.schemas == 1 {
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrStringArray{Property: []string{"one", "two"}}))
		} else {
			v.Set(reflect.ValueOf(crd.JSONSchemaPropsOrStringArray{Schema: &crd.JSONSchemaProps{Title: "three"}}))
		}
		return
	case schemaType:
		if f.schemas >= 2 {
			v.Set(reflect.ValueOf(crd.JSONSchemaProps{Type: "string", Pattern: "^<&>$"}))
			return
		}
		f.schemas++
		defer func() { f.schemas-- }()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(name + "Value")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(f.count)
	case reflect.Float64:
		v.SetFloat(float64(f.count) + 0.25)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(name, v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(f.count), 0xff, 0x00})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(name, v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"b", "a"} {
			item := reflect.New(v.Type().Elem()).Elem()
			f.fill(name, item)
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			field := v.Type().Field(i)
			if field.Name == "TypeMeta" {
				continue
			}
			f.fill(strings.ToLower(field.Name[:1])+field.Name[1:], v.Field(i))
		}
	default:
		panic("no filler for " + v.Type().String())
	}
}

func write(name, apiVersion string, object runtime.Object) {
	f := &filler{}
	f.fill(name, reflect.ValueOf(object).Elem())
	meta := reflect.ValueOf(object).Elem().FieldByName("TypeMeta")
	meta.Set(reflect.ValueOf(metav1.TypeMeta{Kind: name, APIVersion: apiVersion}))

	text, err := json.MarshalIndent(object, "", "  ")
	check(err)
	check(os.WriteFile("../"+name+".json", append(text, '\n'), 0o644))
	text, err = yaml.Marshal(object)
	check(err)
	check(os.WriteFile("../"+name+".yaml", text, 0o644))
	var body strings.Builder
	check(protobuf.NewSerializer(nil, nil).Encode(object, &body))
	check(os.WriteFile("../"+name+".pb", []byte(body.String()), 0o644))
}

func main() {
	write("CustomResourceDefinition", "apiextensions.k8s.io/v1", &crd.CustomResourceDefinition{})
	write("APIService", "apiregistration.k8s.io/v1", &agg.APIService{})
	writeAnswers()
}
